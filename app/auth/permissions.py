"""The policy table: which role holds which permission. Every route declares one; ownership is asked besides."""

from enum import StrEnum

from app.domain.errors import Forbidden
from app.domain.principal import Principal, Role
from app.domain.wording import say


class Permission(StrEnum):
    """What a route needs. `PUBLIC` needs nobody to be signed in; tests list every public route."""

    PUBLIC = "public"
    ACCOUNT = "account"
    TASK_READ = "task:read"
    TASK_CONTROL = "task:control"
    TRAIN = "train"
    EXPERIMENT_READ = "experiment:read"
    EXPERIMENT_WRITE = "experiment:write"
    EXPERIMENT_READ_ALL = "experiment:read-all"
    DATASET_READ = "dataset:read"
    DATASET_WRITE = "dataset:write"
    AUDIT_READ = "audit:read"
    USERS_MANAGE = "users:manage"
    METRICS_READ = "metrics:read"


_VIEWER = frozenset(
    {Permission.PUBLIC, Permission.ACCOUNT, Permission.TASK_READ, Permission.EXPERIMENT_READ, Permission.DATASET_READ}
)
_USER = _VIEWER | {
    Permission.TASK_CONTROL,
    Permission.TRAIN,
    Permission.EXPERIMENT_WRITE,
    Permission.DATASET_WRITE,
}
HELD: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.USER: _USER,
    Role.ADMIN: frozenset(Permission),
}


def holds(role: Role, permission: Permission) -> bool:
    """Whether a role has a permission."""
    return permission in HELD[role]


def check(principal: Principal, permission: Permission) -> None:
    """Forbidden where the account's role lacks the permission."""
    if not holds(principal.role, permission):
        raise Forbidden(
            say("the role {role} may not do this ({permission})", role=principal.role, permission=permission),
            hint="ask an administrator of this installation",
        )


def may_read(principal: Principal, owner: str | None, *, shared: bool = False) -> bool:
    """Whether an object may be seen: by its owner, by those it is shared with, by administrators."""
    return principal.is_admin or shared or (owner is not None and owner == principal.username)


def may_change(principal: Principal, owner: str | None) -> bool:
    """Whether an object may be changed: by its owner and by administrators."""
    return principal.is_admin or (owner is not None and owner == principal.username)

"""The policy table: which role holds which permission, and whose objects may be seen and changed."""

import pytest

from app.auth import permissions
from app.auth.permissions import HELD, Permission
from app.domain.errors import Forbidden
from app.domain.principal import Principal, Role

EVERYBODY, WORKING, ADMIN = {Role.VIEWER, Role.USER, Role.ADMIN}, {Role.USER, Role.ADMIN}, {Role.ADMIN}
PROMISED = {
    Permission.PUBLIC: EVERYBODY,
    Permission.ACCOUNT: EVERYBODY,
    Permission.TASK_READ: EVERYBODY,
    Permission.EXPERIMENT_READ: EVERYBODY,
    Permission.DATASET_READ: EVERYBODY,
    Permission.TASK_CONTROL: WORKING,
    Permission.TRAIN: WORKING,
    Permission.EXPERIMENT_WRITE: WORKING,
    Permission.DATASET_WRITE: WORKING,
    Permission.EXPERIMENT_READ_ALL: ADMIN,
    Permission.AUDIT_READ: ADMIN,
    Permission.USERS_MANAGE: ADMIN,
    Permission.METRICS_READ: ADMIN,
}


def principal(role: Role, username: str = "ada") -> Principal:
    return Principal(user_id=1, username=username, role=role, via="token", session_id="s")


def test_every_role_and_every_permission_has_its_place() -> None:
    assert set(HELD) == set(Role)
    assert set(PROMISED) == set(Permission)


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("role", Role)
def test_a_role_holds_what_is_promised_and_no_more(role: Role, permission: Permission) -> None:
    if role in PROMISED[permission]:
        permissions.check(principal(role), permission)
    else:
        with pytest.raises(Forbidden, match=role) as caught:
            permissions.check(principal(role), permission)
        assert caught.value.code == "auth.forbidden"


def test_each_role_holds_all_that_the_one_below_does() -> None:
    assert HELD[Role.VIEWER] < HELD[Role.USER] < HELD[Role.ADMIN]


@pytest.mark.parametrize(
    ("role", "owner", "is_shared", "may_read", "may_change"),
    [
        (Role.USER, "ada", False, True, True),
        (Role.USER, "grace", False, False, False),
        (Role.USER, "grace", True, True, False),
        (Role.USER, None, False, False, False),
        (Role.VIEWER, "grace", True, True, False),
        (Role.ADMIN, "grace", False, True, True),
        (Role.ADMIN, None, False, True, True),
    ],
)
def test_an_object_is_for_its_owner_for_those_it_is_shared_with_and_for_administrators(
    role: Role, owner: str | None, is_shared: bool, may_read: bool, may_change: bool
) -> None:
    assert permissions.may_read(principal(role), owner, shared=is_shared) is may_read
    assert permissions.may_change(principal(role), owner) is may_change


def test_nobody_owns_what_has_no_owner_by_having_no_name() -> None:
    assert not permissions.may_read(principal(Role.USER, ""), None)
    assert not permissions.may_change(principal(Role.USER, ""), None)

"""Let others read an experiment or a data set: named accounts, or every account of the installation."""

from app.auth.permissions import may_change, may_read
from app.db.repositories import shares, users
from app.db.session import Session
from app.db.tables import ShareRow
from app.domain.errors import Conflict, Forbidden, Hidden, InvalidInput, NotFound
from app.domain.principal import EVERYONE, Caller, Principal
from app.domain.wording import say
from app.schemas.shares import ShareView
from app.services import data_set_access
from app.services.platform import Platform

EXPERIMENT, DATASET = "experiment", "dataset"


def list_shares(platform: Platform, principal: Principal, kind: str, name: str) -> list[ShareView]:
    """With whom an object is shared, for its owner and administrators."""
    with platform.installation.database.read() as session:
        _check_owner(session, platform, principal, kind, name)
        return [_view(row) for row in shares.of(session, kind, name)]


def share(platform: Platform, caller: Caller, kind: str, name: str, grantee: str) -> tuple[ShareView, bool]:
    """Let `grantee` read an object; the share, and whether it is new. InvalidInput where there is no such account."""
    principal = _principal(caller)
    with platform.installation.database.write() as session:
        owner = _check_owner(session, platform, principal, kind, name)
        if grantee != EVERYONE and users.get(session, grantee) is None:
            raise InvalidInput(
                say("there is no account {grantee!r}", grantee=grantee),
                hint="check the spelling, or share with everyone: *",
            )
        if grantee == owner:
            raise Conflict(
                say("{name!r} belongs to {grantee}, who may read it already", name=name, grantee=grantee),
                hint="name somebody else",
            )
        row, is_new = shares.add(session, kind, name, grantee, principal.username)
        if is_new:
            platform.audit.append(session, caller, f"{kind}.share", f"{kind}:{name}", "success", {"grantee": grantee})
        return _view(row), is_new


def unshare(platform: Platform, caller: Caller, kind: str, name: str, grantee: str) -> None:
    """Take a share back; NotFound where there is none."""
    with platform.installation.database.write() as session:
        _check_owner(session, platform, _principal(caller), kind, name)
        if shares.remove(session, kind, name, grantee) == 0:
            raise NotFound(
                say("{name!r} is not shared with {grantee!r}", name=name, grantee=grantee[:64]),
                hint="GET its shares lists them",
            )
        platform.audit.append(session, caller, f"{kind}.unshare", f"{kind}:{name}", "success", {"grantee": grantee})


def _principal(caller: Caller) -> Principal:
    assert caller.principal is not None, "the route asks for a sign-in"
    return caller.principal


def _check_owner(session: Session, platform: Platform, principal: Principal, kind: str, name: str) -> str | None:
    """The owner, where the principal may say who reads; Forbidden for readers, NotFound for everybody else."""
    if kind == DATASET:
        owner = data_set_access.find(session, platform.settings.results_dir, principal, name).owner
    else:
        owner = _experiment_owner(session, principal, name)
    if not may_change(principal, owner):
        raise Forbidden(
            say("only its owner and administrators say who may read {name!r}", name=name),
            hint="ask the person it belongs to",
        )
    return owner


def _experiment_owner(session: Session, principal: Principal, name: str) -> str | None:
    found = shares.experiment_owner(session, name)
    message = say("there is no experiment named {name!r}", name=name[:100])
    hint = say("`GET /me/experiments` lists yours")
    if found is None:
        raise NotFound(message, hint=hint)
    if not may_read(principal, found[0], shared=shares.is_shared(session, EXPERIMENT, name, principal.username)):
        raise Hidden(message, hint=hint, resource=f"experiment:{name}")
    return found[0]


def _view(row: ShareRow) -> ShareView:
    return ShareView(grantee=row.grantee, created_by=row.created_by, created_at=row.created_at)

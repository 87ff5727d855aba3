"""Accounts: made, listed, changed and disabled by administrators; a person's own password.

Signing in is `authentication`. Every change is recorded in the transaction it is made in.
"""

from typing import Any

from app.auth import permissions
from app.auth.passwords import check_strength
from app.db.repositories import api_keys, login_sessions, users
from app.db.session import Session
from app.db.tables import UserRow
from app.db.tables.base import utc_now
from app.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from app.domain.principal import Caller, Principal, Role, is_username
from app.domain.wording import say
from app.schemas.paging import DEFAULT_LIMIT, Page
from app.schemas.users import Limits, Me, UpdateUser, UserView
from app.services.authentication import signed_in
from app.services.paging import decode_cursor, encode_cursor
from app.services.platform import Platform


def create_user(platform: Platform, caller: Caller, username: str, password: str, role: Role) -> UserView:
    """A new account; Conflict `user.exists` when the name is taken, InvalidInput for a name or password of no use."""
    password_hash = hash_new_password(platform, password, username)
    with platform.installation.database.write() as session:
        row = add_user(platform, session, caller, username, password_hash, role)
    return view(row)


def hash_new_password(platform: Platform, password: str, username: str) -> str:
    """What to store of a password for a new or an old account; InvalidInput for a name or password of no use."""
    if not is_username(username):
        raise InvalidInput(
            say("{username!r} cannot be a user name", username=username[:70]),
            hint="take 1 to 64 of a-z, 0-9, '.', '_' and '-', with a letter or digit at both ends",
            code="user.bad_name",
        )
    check_strength(password, username)
    with platform.passwords.turn():
        return platform.passwords.hash(password)


def add_user(
    platform: Platform, session: Session, caller: Caller, username: str, password_hash: str, role: Role
) -> UserRow:
    """Record a new account in the caller's transaction."""
    row = users.add(session, username=username, password_hash=password_hash, role=role)
    if row is None:
        raise Conflict(
            say("there is an account {username!r} already", username=username),
            hint="take another name",
            code="user.exists",
        )
    platform.audit.append(session, caller, "user.create", f"user:{username}", details={"role": role.value})
    return row


def list_users(
    platform: Platform,
    *,
    role: Role | None = None,
    disabled: bool | None = None,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Page[UserView]:
    """Accounts by name."""
    scope = f"users {role} {disabled}"
    after = str(decode_cursor(cursor, scope, [str])[0]) if cursor else None
    with platform.installation.database.read() as session:
        rows, total = users.find(session, role=role, is_disabled=disabled, after=after, limit=limit + 1)
    more = len(rows) > limit
    shown = rows[:limit]
    return Page(
        items=[view(row) for row in shown],
        total=total,
        next=encode_cursor(scope, [shown[-1].username]) if more else None,
    )


def show_user(platform: Platform, username: str) -> UserView:
    """One account; NotFound."""
    with platform.installation.database.read() as session:
        return view(_get(session, username))


def update_user(platform: Platform, caller: Caller, username: str, changes: UpdateUser) -> UserView:
    """Change role, limits, or whether the account may sign in; a disabled one is signed out everywhere.

    Conflict `user.last_administrator` where nobody would be left to administer the installation.
    """
    with platform.installation.database.write() as session:
        row = _get(session, username)
        changed = _changed(row, changes)
        if not changed:
            return view(row)
        is_lost = changed.get("role") not in (None, Role.ADMIN) or changed.get("is_disabled") is True
        if is_lost and users.active_administrators(session) == [username]:
            raise Conflict(
                say("{username!r} is the only administrator who can sign in", username=username),
                hint="make somebody else an administrator first",
                code="user.last_administrator",
            )
        for name, value in changed.items():
            setattr(row, name, value)
        if row.is_disabled:
            login_sessions.revoke_all(session, row.id, "account disabled", utc_now())
        session.flush()
        _record(platform, session, caller, row, changed)
        return view(row)


def reset_password(
    platform: Platform, caller: Caller, username: str, password: str, *, revoke_api_keys: bool = True
) -> None:
    """Give an account another password, sign it out everywhere and, unless told otherwise, end its API keys."""
    password_hash = hash_new_password(platform, password, username)
    now = utc_now()
    with platform.installation.database.write() as session:
        row = _get(session, username)
        users.set_password(session, row.id, password_hash, now)
        sessions = login_sessions.revoke_all(session, row.id, "password reset", now)
        keys = api_keys.revoke_all(session, row.id, now) if revoke_api_keys else 0
        ended = {"sign_ins_ended": sessions, "api_keys_ended": keys}
        platform.audit.append(session, caller, "password.reset", f"user:{username}", details=ended)


def change_password(
    platform: Platform, caller: Caller, current: str, new: str, *, revoke_api_keys: bool = False
) -> None:
    """Give the account that asks another password; its other sign-ins end and, where told so, its API keys.

    Forbidden `auth.wrong_password` where the present one is not given; such attempts are limited as sign-ins are.
    """
    principal = signed_in(caller)
    name = principal.username
    platform.login_limits.check(caller.ip, name)
    with platform.installation.database.read() as session:
        old_hash = _get(session, name).password_hash
    with platform.passwords.turn():
        platform.login_limits.check(caller.ip, name)
        right, _ = platform.passwords.verify(current, old_hash)
        if not right:
            platform.login_limits.failed(caller.ip, name)
    if not right:
        # Written down as every Forbidden is.
        raise Forbidden("the current password is wrong", hint="type it again", code="auth.wrong_password")
    if new == current:
        raise InvalidInput("the new password is the current one", hint="take another", code="password.unchanged")
    new_hash = hash_new_password(platform, new, name)
    now = utc_now()
    with platform.installation.database.write() as session:
        if _get(session, name).password_hash != old_hash:
            raise Conflict("the password was changed meanwhile", hint="sign in again", code="password.changed")
        users.set_password(session, principal.user_id, new_hash, now)
        ended = login_sessions.revoke_all(session, principal.user_id, "password changed", now, but=principal.session_id)
        keys = api_keys.revoke_all(session, principal.user_id, now) if revoke_api_keys else 0
        details = {"sign_ins_ended": ended, "api_keys_ended": keys}
        platform.audit.append(session, caller, "password.change", f"user:{name}", details=details)


def me(platform: Platform, principal: Principal) -> Me:
    """The account that asks."""
    with platform.installation.database.read() as session:
        row = _get(session, principal.username)
    settings = platform.settings
    return Me(
        username=row.username,
        role=principal.role,
        permissions=sorted(permissions.HELD[principal.role] - {permissions.Permission.PUBLIC}),
        created_at=row.created_at,
        password_changed_at=row.password_changed_at,
        last_login_at=row.last_login_at,
        limits=Limits(
            max_running=settings.max_running if row.max_running is None else row.max_running,
            max_queued=settings.max_queued if row.max_queued is None else row.max_queued,
            max_stored_bytes=settings.max_stored_bytes if row.max_stored_bytes is None else row.max_stored_bytes,
        ),
    )


def _get(session: Session, username: str) -> UserRow:
    row = users.get(session, username) if is_username(username) else None
    if row is None:
        raise NotFound(say("there is no account {username!r}", username=username[:70]), hint="`GET /users` lists all")
    return row


def _changed(row: UserRow, changes: UpdateUser) -> dict[str, Any]:
    """The columns that get another value."""
    wanted: dict[str, Any] = {}
    if changes.role is not None:
        wanted["role"] = changes.role
    if changes.disabled is not None:
        wanted["is_disabled"] = changes.disabled
    if changes.limits is not None:
        wanted |= changes.limits.model_dump(exclude_unset=True)
    return {name: value for name, value in wanted.items() if getattr(row, name) != value}


def _record(platform: Platform, session: Session, caller: Caller, row: UserRow, changed: dict[str, Any]) -> None:
    """One event for each thing that changed."""
    resource = f"user:{row.username}"
    if "is_disabled" in changed:
        platform.audit.append(session, caller, "user.disable" if row.is_disabled else "user.enable", resource)
    if "role" in changed:
        platform.audit.append(session, caller, "user.set_role", resource, details={"role": row.role})
    limits = {name: value for name, value in changed.items() if name.startswith("max_")}
    if limits:
        platform.audit.append(session, caller, "user.set_limits", resource, details=limits)


def view(row: UserRow) -> UserView:
    """An account as administrators see it."""
    return UserView(
        username=row.username,
        role=Role(row.role),
        disabled=row.is_disabled,
        created_at=row.created_at,
        password_changed_at=row.password_changed_at,
        last_login_at=row.last_login_at,
        limits=Limits(max_running=row.max_running, max_queued=row.max_queued, max_stored_bytes=row.max_stored_bytes),
    )

"""Who asks: access tokens and API keys become principals; signing in, staying so, and signing out.

What is known of an account and what an administrator may change is `accounts`.
"""

import uuid
from datetime import timedelta

from app.auth import api_keys, jwt_utils
from app.auth.api_keys import API_KEY_START
from app.auth.jwt_utils import AccessClaims
from app.db.repositories import api_keys as stored_keys
from app.db.repositories import login_sessions, users
from app.db.session import Session
from app.db.tables import LoginSessionRow, UserRow
from app.db.tables.base import utc_now
from app.domain.errors import Forbidden, NotFound, StorageError, TooManyRequests, Unauthenticated
from app.domain.principal import Caller, Principal, Role, is_username
from app.schemas.auth import TokenResponse
from app.schemas.paging import Page
from app.schemas.users import SessionView
from app.services.platform import Platform

REFRESH_LIFETIME = timedelta(days=30)
"""From the sign-in on, however often it is renewed."""
MAX_SESSIONS = 100
"""Of one account; the oldest end."""
UNKNOWN_USER = "user:?"
"""In the audit log, for a name that is no account's: people type passwords there."""
KEY_USE_NOTED_EVERY = timedelta(minutes=5)


def authenticate(platform: Platform, credential: str) -> Principal:
    """Whose access token or API key this is; Unauthenticated unless it is valid at this moment.

    Revoked sign-ins, disabled accounts and changed roles take effect at once: they are looked up each time.
    """
    if credential.startswith(API_KEY_START):
        return _owner_of_key(platform, credential)
    claims = jwt_utils.read_access_token(credential, platform.signing_keys.secret_of)
    with platform.installation.database.read() as session:
        account = login_sessions.account_of(session, claims.session_id, claims.user_id, utc_now())
    if account is None:
        raise Unauthenticated(
            "this sign-in has ended", hint="sign in again with POST /login", code="auth.session_ended"
        )
    user_id, username, role = account
    return Principal(user_id=user_id, username=username, role=Role(role), via="token", session_id=claims.session_id)


def login(platform: Platform, caller: Caller, username: str, password: str) -> TokenResponse:
    """Tokens for a name and its password.

    Raises Unauthenticated, the same whether the name, the password or the account is at fault, and as late; and
    TooManyRequests where too many attempts have failed.
    """
    _check_limits(platform, caller, username)
    user = _find(platform, username)
    with platform.passwords.turn():
        # Once more: of those that waited for their turn, some have failed meanwhile.
        _check_limits(platform, caller, username)
        right, renewed = platform.passwords.verify(password, user.password_hash if user else None)
        reason = _why_not(user, right)
        if reason:
            platform.login_limits.failed(caller.ip, username)
    if user is None or reason:
        raise _refused(platform, caller, user, reason)
    with platform.installation.database.write() as session:
        current = users.get(session, username)
        known = (user.password_changed_at, False)
        unchanged = current is not None and (current.password_changed_at, current.is_disabled) == known
        if current is not None and unchanged:
            tokens = _begin_session(platform, session, caller, current, renewed)
    if not unchanged:
        raise _refused(platform, caller, user, "changed meanwhile")
    platform.login_limits.succeeded(caller.ip, username)
    return tokens


def refresh(platform: Platform, caller: Caller, refresh_token: str) -> TokenResponse:
    """New tokens for the newest refresh token of a sign-in.

    An older one was used before, so somebody else may hold it: the whole sign-in ends. Tokens that never were, and
    those of a sign-in that is over, count as failures of their address.
    """
    platform.login_limits.check(caller.ip)
    session_id = api_keys.session_of(refresh_token) or ""
    user = None
    with platform.installation.database.read() as session:
        row = login_sessions.get(session, session_id)
        if row is not None:
            user = users.get_by_id(session, row.user_id)
    resource, details = ("session:?", {}) if user is None else (f"session:{session_id}", {"user": user.username})
    tokens = None
    if row is None or user is None or not _is_valid(row, user):
        platform.login_limits.failed(caller.ip)
        platform.audit.deny(caller, "session.refresh", resource, details)
    else:
        with platform.installation.database.write() as session:
            tokens = _rotate(platform, session, _as(caller, user, session_id), refresh_token)
    if tokens is not None:
        return tokens
    raise Unauthenticated(
        "this refresh token is not valid", hint="sign in again with POST /login", code="auth.refresh_invalid"
    )


def logout(platform: Platform, caller: Caller, *, everywhere: bool = False) -> None:
    """End the sign-in that asks, or all of the account; their tokens are worth nothing from now on."""
    principal = signed_in(caller)
    assert principal.session_id is not None
    now = utc_now()
    with platform.installation.database.write() as session:
        if everywhere:
            ended = login_sessions.revoke_all(session, principal.user_id, "signed out everywhere", now)
            platform.audit.append(
                session, caller, "session.logout_everywhere", f"user:{principal.username}", details={"ended": ended}
            )
        else:
            login_sessions.revoke(session, principal.session_id, principal.user_id, "signed out", now)
            platform.audit.append(session, caller, "session.logout", f"session:{principal.session_id}")


def list_sessions(platform: Platform, principal: Principal) -> Page[SessionView]:
    """The valid sign-ins of the account that asks, newest first."""
    with platform.installation.database.read() as session:
        rows = login_sessions.active(session, principal.user_id, utc_now())
    items = [
        SessionView(
            id=row.id,
            created_at=row.created_at,
            refreshed_at=row.refreshed_at,
            expires_at=row.expires_at,
            ip=row.ip,
            current=row.id == principal.session_id,
        )
        for row in rows
    ]
    return Page(items=items, total=len(items), next=None)


def revoke_session(platform: Platform, caller: Caller, session_id: str) -> None:
    """End one sign-in of the account that asks; NotFound where it has none of that id."""
    principal = signed_in(caller)
    with platform.installation.database.write() as session:
        if not login_sessions.revoke(session, session_id, principal.user_id, "revoked", utc_now()):
            raise NotFound("you have no such sign-in", hint="`GET /me/sessions` lists yours")
        platform.audit.append(session, caller, "session.revoke", f"session:{session_id}")


def signed_in(caller: Caller) -> Principal:
    """The principal of a sign-in; Forbidden for an API key, which has no say over the account it belongs to."""
    principal = caller.principal
    assert principal is not None
    if principal.via != "token":
        raise Forbidden("an API key may not do this", hint="sign in with POST /login", code="auth.sign_in_needed")
    return principal


def _check_limits(platform: Platform, caller: Caller, username: str) -> None:
    try:
        platform.login_limits.check(caller.ip, username)
    except TooManyRequests:
        user = _find(platform, username)
        resource = f"user:{user.username}" if user else UNKNOWN_USER
        platform.audit.deny(caller, "session.login", resource, {"reason": "too many failures"})
        raise


def _why_not(user: UserRow | None, is_right: bool) -> str:
    """Why an attempt to sign in fails; empty where it does not."""
    if user is None:
        return "unknown user"
    if not is_right:
        return "wrong password"
    return "disabled account" if user.is_disabled else ""


def _find(platform: Platform, username: str) -> UserRow | None:
    if not is_username(username):
        return None
    with platform.installation.database.read() as session:
        return users.get(session, username)


def _refused(platform: Platform, caller: Caller, user: UserRow | None, reason: str) -> Unauthenticated:
    """The one answer to every sign-in that fails, written down."""
    resource = f"user:{user.username}" if user else UNKNOWN_USER
    platform.audit.append_now(caller, "session.login", resource, "denied", {"reason": reason})
    return Unauthenticated(
        "the name or the password is wrong",
        hint="check both; an administrator can reset a password",
        code="auth.bad_credentials",
    )


def _begin_session(
    platform: Platform, session: Session, caller: Caller, user: UserRow, renewed_hash: str | None
) -> TokenResponse:
    now = utc_now()
    user.last_login_at = now
    if renewed_hash is not None:
        user.password_hash = renewed_hash
    session_id = uuid.uuid4().hex
    refresh_token = api_keys.new_refresh_token(session_id)
    for old in login_sessions.active(session, user.id, now)[MAX_SESSIONS - 1 :]:
        login_sessions.revoke(session, old.id, user.id, "too many sign-ins", now)
    row = LoginSessionRow(
        id=session_id,
        user_id=user.id,
        refresh_hash=api_keys.digest(refresh_token),
        created_at=now,
        refreshed_at=now,
        expires_at=now + REFRESH_LIFETIME,
        ip=caller.ip,
    )
    login_sessions.add(session, row)
    details = {"session": session_id}
    platform.audit.append(
        session, _as(caller, user, session_id), "session.login", f"user:{user.username}", details=details
    )
    return _tokens(platform, user.id, session_id, refresh_token)


def _is_valid(row: LoginSessionRow, user: UserRow) -> bool:
    return row.revoked_at is None and row.expires_at > utc_now() and not user.is_disabled


def _rotate(platform: Platform, session: Session, known: Caller, refresh_token: str) -> TokenResponse | None:
    """New tokens; None where the refresh token is not the newest of its sign-in, which ends then."""
    principal = signed_in(known)
    user_id, session_id = principal.user_id, principal.session_id
    assert session_id is not None
    now = utc_now()
    resource, details = f"session:{session_id}", {"user": principal.username}
    fresh = api_keys.new_refresh_token(session_id)
    if login_sessions.rotate(session, session_id, api_keys.digest(refresh_token), api_keys.digest(fresh), now):
        platform.audit.append(session, known, "session.refresh", resource, details=details)
        return _tokens(platform, user_id, session_id, fresh)
    unknown = known.model_copy(update={"principal": None})
    if login_sessions.revoke(session, session_id, user_id, "refresh token reused", now):
        platform.audit.append(session, unknown, "session.refresh_reused", resource, "denied", details)
    else:
        platform.audit.append(session, unknown, "session.refresh", resource, "denied", {**details, "reason": "ended"})
    return None


def _tokens(platform: Platform, user_id: int, session_id: str, refresh_token: str) -> TokenResponse:
    key = platform.signing_keys.newest()
    claims = AccessClaims(user_id=user_id, session_id=session_id)
    return TokenResponse(
        access_token=jwt_utils.issue_access_token(claims, key_id=key.key_id, secret=key.secret),
        refresh_token=refresh_token,
        expires_in=int(jwt_utils.LIFETIME.total_seconds()),
    )


def _as(caller: Caller, user: UserRow, session_id: str) -> Caller:
    """The caller, now that it is known who that is."""
    principal = Principal(
        user_id=user.id, username=user.username, role=Role(user.role), via="token", session_id=session_id
    )
    return caller.model_copy(update={"principal": principal})


def _owner_of_key(platform: Platform, key: str) -> Principal:
    now = utc_now()
    prefix = api_keys.prefix_of(key)
    found = None
    if prefix is not None:
        with platform.installation.database.read() as session:
            found = stored_keys.find(session, prefix)
    row, user = found or (None, None)
    matches = api_keys.matches(key, row.key_hash if row else "")
    if row is None or user is None or not matches or user.is_disabled or not stored_keys.is_valid(row, now):
        raise Unauthenticated("this is no valid API key", hint="`POST /me/api-keys` makes one", code="auth.key_invalid")
    if row.last_used_at is None or row.last_used_at < now - KEY_USE_NOTED_EVERY:
        _note_use(platform, row.id)
    return Principal(user_id=user.id, username=user.username, role=Role(user.role), via="api_key", api_key_id=row.id)


def _note_use(platform: Platform, key_id: int) -> None:
    try:
        with platform.installation.database.write(alone=False) as session:
            stored_keys.used(session, key_id, utc_now())
    except StorageError:
        # To know when a key was last used is not worth refusing it.
        return

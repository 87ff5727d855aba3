"""API keys of one's own account: made, listed, ended. The key itself is shown once and never stored."""

from datetime import timedelta

from app.auth.api_keys import API_KEY_START, digest, new_api_key
from app.db.repositories import api_keys
from app.db.tables import ApiKeyRow
from app.db.tables.base import utc_now
from app.domain.errors import Conflict, NotFound
from app.domain.principal import Caller, Principal
from app.domain.wording import say
from app.schemas.paging import Page
from app.schemas.users import ApiKeyCreated, ApiKeyView
from app.services.authentication import signed_in
from app.services.platform import Platform

MAX_KEYS = 50
"""Of one account."""


def create_api_key(platform: Platform, caller: Caller, name: str, expires_in_days: int | None) -> ApiKeyCreated:
    """A key for the account that asks; Conflict when it has one of that name, Forbidden for an API key that asks."""
    principal = signed_in(caller)
    key, prefix = new_api_key()
    now = utc_now()
    expires_at = None if expires_in_days is None else now + timedelta(days=expires_in_days)
    row = ApiKeyRow(
        user_id=principal.user_id,
        name=name,
        prefix=prefix,
        key_hash=digest(key),
        created_at=now,
        expires_at=expires_at,
    )
    with platform.installation.database.write() as session:
        if len(api_keys.active(session, principal.user_id, now)) >= MAX_KEYS:
            raise Conflict(
                say("you have {max_keys} API keys", max_keys=MAX_KEYS),
                hint="revoke one that is not needed",
                code="api_key.too_many",
            )
        if not api_keys.add(session, row, now):
            raise Conflict(
                say("you have an API key {name!r} already", name=name), hint="take another name", code="api_key.exists"
            )
        details = {"name": name, "expires_at": expires_at}
        platform.audit.append(session, caller, "api_key.create", f"api_key:{row.id}", details=details)
    return ApiKeyCreated(**_view(row).model_dump(), key=key)


def list_api_keys(platform: Platform, principal: Principal) -> Page[ApiKeyView]:
    """The valid keys of the account that asks, by name."""
    with platform.installation.database.read() as session:
        items = [_view(row) for row in api_keys.active(session, principal.user_id, utc_now())]
    return Page(items=items, total=len(items), next=None)


def revoke_api_key(platform: Platform, caller: Caller, key_id: int) -> None:
    """End a key of the account that asks, at once; NotFound where it has none of that id."""
    principal = signed_in(caller)
    with platform.installation.database.write() as session:
        row = api_keys.revoke(session, principal.user_id, key_id, utc_now())
        if row is None:
            raise NotFound("you have no such API key", hint="`GET /me/api-keys` lists yours")
        platform.audit.append(session, caller, "api_key.revoke", f"api_key:{row.id}", details={"name": row.name})


def _view(row: ApiKeyRow) -> ApiKeyView:
    return ApiKeyView(
        id=row.id,
        name=row.name,
        prefix=f"{API_KEY_START}{row.prefix}",
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )

"""Credentials of programs: API keys of one's own account."""

from app.client.endpoint import Endpoint, Noun, body_of, endpoint
from app.schemas.paging import Page
from app.schemas.users import ApiKeyCreated, ApiKeyView, CreateApiKey


class ApiKeys(Noun):
    """`/me/api-keys`."""

    @endpoint("GET", "/me/api-keys")
    def list(self, at: Endpoint) -> list[ApiKeyView]:
        """The valid keys of this account, by name."""
        return at().as_(Page[ApiKeyView]).items

    @endpoint("POST", "/me/api-keys")
    def create(self, at: Endpoint, name: str, *, expires_in_days: int | None = 365) -> ApiKeyCreated:
        """A new key; `key` is shown this once, and None where the answer to an earlier sending was lost."""
        return at().once().json(body_of(CreateApiKey, name=name, expires_in_days=expires_in_days)).as_(ApiKeyCreated)

    @endpoint("DELETE", "/me/api-keys/{key_id}")
    def revoke(self, at: Endpoint, key_id: int) -> None:
        """End a key."""
        return at(key_id=key_id).as_(type(None))

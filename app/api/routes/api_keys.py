"""Credentials of programs: API keys of one's own account."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse

from app.api.dependencies import CallerDep, CurrentUser, PlatformDep, Requires
from app.api.errors import problems
from app.api.idempotency import IdempotentDep, Made
from app.auth.permissions import Permission
from app.schemas.paging import Page
from app.schemas.users import ApiKeyCreated, ApiKeyView, CreateApiKey
from app.services import api_keys

router = APIRouter(prefix="/me/api-keys", tags=["me"], dependencies=[Depends(Requires(Permission.ACCOUNT))])

KeyId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("", responses=problems(401, 403, 503))
def list_api_keys(platform: PlatformDep, principal: CurrentUser) -> Page[ApiKeyView]:
    """The valid keys of this account, by name; all of it is one page."""
    return api_keys.list_api_keys(platform, principal)


@router.post("", status_code=201, response_model=ApiKeyCreated, responses=problems(401, 403, 409, 413, 422, 503))
def create_api_key(
    platform: PlatformDep, caller: CallerDep, body: CreateApiKey, idempotent: IdempotentDep
) -> JSONResponse:
    """A new key, shown in this answer and never again: a repeated request is told all but the key."""
    created: list[ApiKeyCreated] = []

    def make() -> Made:
        created.append(api_keys.create_api_key(platform, caller, body.name, body.expires_in_days))
        return 201, created[0].model_copy(update={"key": None})

    answer = idempotent.run(make)
    return JSONResponse(created[0].model_dump(mode="json"), status_code=201) if created else answer


@router.delete("/{key_id}", status_code=204, responses=problems(401, 403, 404, 422, 503))
def revoke_api_key(platform: PlatformDep, caller: CallerDep, key_id: KeyId) -> None:
    """End a key of this account, at once."""
    api_keys.revoke_api_key(platform, caller, key_id)

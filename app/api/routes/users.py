"""Accounts, for administrators."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from app.api.dependencies import CallerDep, PlatformDep, Requires
from app.api.errors import problems
from app.api.idempotency import IdempotentDep
from app.auth.permissions import Permission
from app.domain.principal import Role
from app.schemas.paging import DEFAULT_LIMIT, MAX_LIMIT, Page
from app.schemas.users import CreateUser, ResetPassword, UpdateUser, UserView
from app.services import accounts

router = APIRouter(prefix="/users", tags=["users"], dependencies=[Depends(Requires(Permission.USERS_MANAGE))])


@router.get("", responses=problems(401, 403, 422, 503))
def list_users(
    platform: PlatformDep,
    role: Role | None = None,
    disabled: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
) -> Page[UserView]:
    """Accounts by name."""
    return accounts.list_users(platform, role=role, disabled=disabled, limit=limit, cursor=cursor)


@router.post("", status_code=201, response_model=UserView, responses=problems(401, 403, 409, 413, 422, 429, 503))
def create_user(platform: PlatformDep, caller: CallerDep, body: CreateUser, idempotent: IdempotentDep) -> JSONResponse:
    """A new account."""
    return idempotent.run(
        lambda: (201, accounts.create_user(platform, caller, body.username, body.password, body.role))
    )


@router.get("/{username}", responses=problems(401, 403, 404, 422, 503))
def show_user(platform: PlatformDep, username: str) -> UserView:
    """One account."""
    return accounts.show_user(platform, username)


@router.patch("/{username}", responses=problems(401, 403, 404, 409, 413, 422, 503))
def update_user(platform: PlatformDep, caller: CallerDep, username: str, body: UpdateUser) -> UserView:
    """Change role or limits; disable an account, which signs it out everywhere, or enable it."""
    return accounts.update_user(platform, caller, username, body)


@router.put("/{username}/password", status_code=204, responses=problems(401, 403, 404, 413, 422, 429, 503))
def reset_password(platform: PlatformDep, caller: CallerDep, username: str, body: ResetPassword) -> None:
    """Give an account another password; all its sign-ins end, and its API keys unless told otherwise."""
    accounts.reset_password(platform, caller, username, body.password, revoke_api_keys=body.revoke_api_keys)

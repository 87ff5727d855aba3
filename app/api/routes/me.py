"""One's own account: who one is, the password, and where one is signed in."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from app.api.dependencies import CallerDep, CurrentUser, PlatformDep, Requires
from app.api.errors import problems
from app.auth.permissions import Permission
from app.schemas.paging import Page
from app.schemas.users import ChangePassword, Me, SessionView
from app.services import accounts, authentication

router = APIRouter(prefix="/me", tags=["me"], dependencies=[Depends(Requires(Permission.ACCOUNT))])

SessionId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


@router.get("", responses=problems(401, 403, 503))
def show_me(platform: PlatformDep, principal: CurrentUser) -> Me:
    """The account that asks: its role, what it may do, its limits."""
    return accounts.me(platform, principal)


@router.put("/password", status_code=204, responses=problems(401, 403, 409, 413, 422, 429, 503))
def change_password(platform: PlatformDep, caller: CallerDep, body: ChangePassword) -> None:
    """Take another password; every other sign-in of this account ends, and its API keys where that is wanted."""
    accounts.change_password(
        platform, caller, body.current_password, body.new_password, revoke_api_keys=body.revoke_api_keys
    )


@router.get("/sessions", responses=problems(401, 403, 503))
def list_sessions(platform: PlatformDep, principal: CurrentUser) -> Page[SessionView]:
    """Where this account is signed in, newest first; all of it is one page."""
    return authentication.list_sessions(platform, principal)


@router.delete("/sessions/{session_id}", status_code=204, responses=problems(401, 403, 404, 422, 503))
def revoke_session(platform: PlatformDep, caller: CallerDep, session_id: SessionId) -> None:
    """End one sign-in of this account, at once."""
    authentication.revoke_session(platform, caller, session_id)

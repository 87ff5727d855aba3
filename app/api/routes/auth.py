"""Signing in, staying so, signing out, and the first account of an installation."""

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from app.api.dependencies import CallerDep, PlatformDep, Public, Requires
from app.api.errors import problems
from app.auth.permissions import Permission
from app.schemas.auth import LoginRequest, RefreshRequest, SetupRequest, TokenResponse
from app.schemas.users import UserView
from app.services import authentication, first_administrator

router = APIRouter(tags=["sign-in"])

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
_BODY = {"schema": LoginRequest.model_json_schema()}
_LOGIN_BODY = {"requestBody": {"required": True, "content": {JSON: _BODY, FORM: _BODY}}}


async def read_credentials(request: Request) -> LoginRequest:
    """Name and password from JSON or from the form of OAuth2's password grant."""
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind == FORM:
        async with request.form(max_fields=20) as form:
            given: Any = dict(form)
    elif kind == JSON:
        given = _parsed(await request.body())
    else:
        raise HTTPException(415, f"send {JSON} or {FORM}")
    try:
        return LoginRequest.model_validate(given)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults]) from error


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        fault = {"type": "json_invalid", "loc": ("body",), "msg": "this is no JSON"}
        raise RequestValidationError([fault]) from error


Credentials = Annotated[LoginRequest, Depends(read_credentials)]


async def slow_down(credentials: Credentials, platform: PlatformDep) -> None:
    """Let whoever tries an account that is under attack wait, without holding a thread meanwhile."""
    await asyncio.sleep(await run_in_threadpool(platform.login_limits.delay_seconds, credentials.username))


@router.post(
    "/login",
    dependencies=[Depends(Public()), Depends(slow_down)],
    responses=problems(401, 413, 415, 422, 429, 503),
    openapi_extra=_LOGIN_BODY,
)
def login(platform: PlatformDep, caller: CallerDep, credentials: Credentials) -> TokenResponse:
    """Tokens for a name and its password, as JSON or as an OAuth2 form."""
    return authentication.login(platform, caller, credentials.username, credentials.password)


@router.post("/refresh", dependencies=[Depends(Public())], responses=problems(401, 413, 422, 429, 503))
def refresh(platform: PlatformDep, caller: CallerDep, body: RefreshRequest) -> TokenResponse:
    """New tokens for the newest refresh token; one that was used before ends the sign-in it belongs to."""
    return authentication.refresh(platform, caller, body.refresh_token)


@router.post(
    "/logout",
    status_code=204,
    dependencies=[Depends(Requires(Permission.ACCOUNT))],
    responses=problems(401, 403, 422, 503),
)
def logout(
    platform: PlatformDep,
    caller: CallerDep,
    everywhere: Annotated[bool, Query(description="end all sign-ins of this account")] = False,
) -> None:
    """End this sign-in, or all of this account, at once."""
    authentication.logout(platform, caller, everywhere=everywhere)


@router.post(
    "/setup",
    status_code=201,
    dependencies=[Depends(Public())],
    responses=problems(401, 409, 413, 422, 429, 503),
)
def setup(platform: PlatformDep, caller: CallerDep, body: SetupRequest) -> UserView:
    """The first administrator, for the code that the server printed when it started without accounts."""
    return first_administrator.create_first_administrator(platform, caller, body.code, body.username, body.password)

"""What routes ask for: the installation, who calls, and the checks the policy table demands.

Every route declares its permission: `dependencies=[Depends(Requires(Permission.X))]`, or one of the shorthands below.
What only looks at the request is `async`, so that no thread is taken for it.
"""

from hmac import compare_digest
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api.errors import request_id_of
from app.api.threads import quickly
from app.auth import permissions
from app.auth.permissions import Permission
from app.domain.addresses import origin
from app.domain.errors import Unauthenticated
from app.domain.principal import Caller, Principal
from app.services import authentication, task_views
from app.services.platform import Platform

_bearer = HTTPBearer(auto_error=False, description="an access token from /login, or an API key")


async def get_platform(request: Request) -> Platform:
    """The installation this application serves."""
    platform: Platform = request.app.state.platform
    return platform


PlatformDep = Annotated[Platform, Depends(get_platform)]


Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def get_current_user(request: Request, platform: PlatformDep, credentials: Credentials) -> Principal:
    """Whose token or API key this is; Unauthenticated without a valid one."""
    if credentials is None:
        raise Unauthenticated("this needs a sign-in", hint="send `Authorization: Bearer TOKEN`; POST /login gives one")
    principal = await quickly(request, authentication.authenticate, platform, credentials.credentials)
    request.scope["principal"] = principal
    return principal


CurrentUser = Annotated[Principal, Depends(get_current_user)]


def client_ip(request: Request) -> str | None:
    """The address the request came from: the server's peer, or whom a proxy that is trusted speaks for."""
    peer = request.client.host if request.client else None
    settings = request.app.state.platform.settings
    secret = settings.proxy_secret.get_secret_value().encode()
    vouched = bool(secret) and compare_digest(request.headers.get("x-proxy-secret", "").encode(), secret)
    return origin(peer, request.headers.getlist("x-forwarded-for"), settings.trusted_proxies, vouched=vouched)


async def get_caller(request: Request) -> Caller:
    """Who calls and from where, for services and the audit log; the principal where the route asked for one."""
    return Caller(principal=request.scope.get("principal"), ip=client_ip(request), request_id=request_id_of(request))


class Requires:
    """Lets only roles with a permission through; `permission` is what the tests of the policy read."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, principal: CurrentUser) -> Principal:
        """The principal, when its role holds the permission; Forbidden otherwise."""
        permissions.check(principal, self.permission)
        return principal


class Public:
    """Declares that a route needs no sign-in."""

    permission = Permission.PUBLIC

    async def __call__(self) -> None:
        """Let everybody through."""


CallerDep = Annotated[Caller, Depends(get_caller)]


async def check_admin(principal: CurrentUser) -> Principal:
    """The principal, when it is an administrator."""
    permissions.check(principal, Permission.USERS_MANAGE)
    return principal


async def check_task_owner(request: Request, task_id: str, principal: CurrentUser, platform: PlatformDep) -> str:
    """The task's id, when it belongs to the caller or the caller is an administrator; NotFound otherwise."""
    await quickly(request, task_views.check_readable, platform, principal, task_id)
    return task_id


TaskId = Annotated[str, Depends(check_task_owner)]

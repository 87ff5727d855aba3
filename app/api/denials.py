"""Denials are recorded where errors become answers: forbidden, somebody else's, or a credential that is not valid."""

import logging

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from app.api.dependencies import get_caller
from app.domain.errors import Forbidden, Hidden, PlatformError, Unauthenticated

logger = logging.getLogger(__name__)

RECORDED_ALREADY = ("auth.bad_credentials", "auth.code_invalid", "auth.refresh_invalid")
"""Attempts to sign in, or to make the first account, are events of their own."""


async def record(request: Request, error: PlatformError) -> None:
    """Write a denial to the audit log; what is no denial is passed over."""
    if isinstance(error, Hidden):
        resource = error.resource
    elif isinstance(error, Forbidden) or (isinstance(error, Unauthenticated) and error.code not in RECORDED_ALREADY):
        resource = f"route:{request.method} {_path(request)}"
    else:
        return
    details = {"method": request.method, "path": _path(request), "code": error.code}
    try:
        caller = await get_caller(request)
        await run_in_threadpool(request.app.state.platform.audit.deny, caller, "access.denied", resource, details)
    except PlatformError:
        # Nothing was changed, and the answer stays no.
        logger.exception("the denial of request %s could not be recorded", request.scope.get("request_id"))


def _path(request: Request) -> str:
    """The path as the route declares it: what stands in its place may be no business of the log."""
    route = request.scope.get("route")
    return str(getattr(route, "path", request.url.path))[:200]

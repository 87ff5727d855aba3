"""Does the service live, can it work, and what does it count."""

import hmac
import ipaddress
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.api.dependencies import Credentials, PlatformDep, Public, client_ip, get_current_user
from app.api.errors import problems
from app.auth import permissions
from app.auth.permissions import Permission
from app.monitor.exporter import CONTENT_TYPE, RequestNumbers
from app.schemas.health import Health, Readiness
from app.services import health
from app.services.health import ReadinessProbe

router = APIRouter(tags=["health"])

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "Prometheus' text format", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


class MetricsReader:
    """Lets through who sends METRICS_TOKEN, who asks from this machine, and administrators."""

    permission = Permission.METRICS_READ

    async def __call__(self, request: Request, platform: PlatformDep, credentials: Credentials) -> None:
        """Unauthenticated or Forbidden for everybody else."""
        token = platform.settings.metrics_token.get_secret_value()
        given = credentials.credentials if credentials else ""
        if token and hmac.compare_digest(given.encode(), token.encode()):
            return
        if credentials is None and _is_from_here(request):
            return
        permissions.check(await get_current_user(request, platform, credentials), self.permission)


def _is_from_here(request: Request) -> bool:
    """Whether a request comes from this machine, and not through a proxy on it."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(client_ip(request) or "").is_loopback
    except ValueError:
        return False


@router.get("/health", operation_id="health", dependencies=[Depends(Public())])
async def show_health() -> Health:
    """The process answers; asks nothing of anybody."""
    return Health()


@router.get("/ready", operation_id="ready", dependencies=[Depends(Public())], responses=problems(503))
def show_readiness(request: Request, platform: PlatformDep) -> Readiness:
    """Database, schema and queue answer; else 503 with what does not."""
    probe: ReadinessProbe = request.app.state.readiness
    return probe.check(platform)


@router.get(
    "/metrics",
    response_class=Response,
    operation_id="metrics",
    dependencies=[Depends(MetricsReader())],
    responses={**_TEXT, **problems(401, 403, 503)},
)
def show_metrics(request: Request, platform: PlatformDep) -> Response:
    """Numbers for Prometheus: bearer METRICS_TOKEN, or from this machine."""
    requests: RequestNumbers = request.app.state.request_numbers
    return Response(requests.text(health.numbers(platform)), media_type=CONTENT_TYPE)

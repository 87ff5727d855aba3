"""The installation at work: workers, what waits, what runs and how fast."""

from fastapi import APIRouter, Depends

from app.api.dependencies import PlatformDep, Requires
from app.api.errors import problems
from app.auth.permissions import Permission
from app.schemas.monitor import MonitorView
from app.services import monitoring

router = APIRouter(tags=["health"], dependencies=[Depends(Requires(Permission.METRICS_READ))])


@router.get("/monitor", operation_id="monitor", responses=problems(401, 403, 503))
def show_monitor(platform: PlatformDep) -> MonitorView:
    """Live workers, waiting and running work, and the speed of running trainings; for administrators."""
    return monitoring.overview(platform)

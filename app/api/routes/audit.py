"""The audit log, for administrators: pages of it, all of it, whether it is whole."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from app.api.dependencies import CallerDep, PlatformDep, Requires
from app.api.errors import problems
from app.auth.permissions import Permission
from app.domain.audit import AuditFilter
from app.schemas.audit import AuditItem, AuditVerification, Moment, Outcome
from app.schemas.paging import DEFAULT_LIMIT, MAX_LIMIT, Page
from app.services import audit_log
from app.services.audit_log import ExportFormat

router = APIRouter(prefix="/audit", tags=["audit"], dependencies=[Depends(Requires(Permission.AUDIT_READ))])

Text = Annotated[str | None, Query(min_length=1, max_length=255, description="all of it, or its beginning and a `*`")]
_MEDIA_TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv"}


async def wanted_events(
    actor: Text = None,
    action: Text = None,
    resource: Text = None,
    outcome: Outcome | None = None,
    since: Annotated[Moment | None, Query(description="the first moment that counts")] = None,
    until: Annotated[Moment | None, Query(description="the first moment that does not")] = None,
) -> AuditFilter:
    """Which events a request asks for."""
    return AuditFilter(actor, action, resource, outcome, since, until)


Wanted = Annotated[AuditFilter, Depends(wanted_events)]


@router.get("/logs", responses=problems(401, 403, 422, 503))
def list_events(
    platform: PlatformDep,
    caller: CallerDep,
    wanted: Wanted,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
) -> Page[AuditItem]:
    """Who did what, newest first. Reading is recorded too."""
    return audit_log.read_page(platform.audit, caller, wanted, limit, cursor)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={
        **problems(401, 403, 422, 503),
        200: {
            "description": "one event a line, oldest first, with its hashes",
            "content": {media_type: {"schema": {"type": "string"}} for media_type in _MEDIA_TYPES.values()},
        },
    },
)
def export_events(
    platform: PlatformDep,
    caller: CallerDep,
    wanted: Wanted,
    format: Annotated[ExportFormat, Query()] = "jsonl",  # noqa: A002 - the word a person writes in the address
) -> StreamingResponse:
    """All events that match, as a stream. Exporting is recorded too."""
    lines = audit_log.export(platform.audit, caller, wanted, format)
    return StreamingResponse(
        lines,
        media_type=_MEDIA_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="audit.{format}"'},
    )


@router.get("/verify", responses=problems(401, 403, 409, 503))
def verify_events(platform: PlatformDep, caller: CallerDep) -> AuditVerification:
    """Check every event, their order, their end, and the signed checkpoints; says which is the first bad one."""
    return audit_log.verify_for(platform.audit, caller)

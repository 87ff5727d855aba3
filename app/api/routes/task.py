"""One task: where it stands, what it writes, stop it, let it go on. Whose it is not, for them there is none."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from app.api.dependencies import CallerDep, CurrentUser, PlatformDep, Requires, TaskId
from app.api.errors import problems
from app.api.etags import NOT_MODIFIED, tagged
from app.api.event_streams import EventStream, Followed, Follower
from app.api.idempotency import IdempotentDep
from app.api.points import WantedPointsDep
from app.api.threads import quickly
from app.auth import permissions
from app.auth.permissions import Permission
from app.schemas.tasks import LogChunk, MetricSeries, TaskView
from app.services import authentication, submission, task_outputs, task_views

router = APIRouter(prefix="/task/{task_id}", tags=["tasks"])

READ = [Depends(Requires(Permission.TASK_READ))]
CONTROL = [Depends(Requires(Permission.TASK_CONTROL))]
MAX_LOG_BYTES = 1_000_000
LogBytes = Annotated[int, Query(ge=16, le=MAX_LOG_BYTES, description="bytes to read at most")]
Offset = Annotated[
    int, Query(ge=-(2**53), le=2**53, description="the first byte; a negative one counts from the end of the log")
]
_TEXT = {"type": "string"}
_EVENT = {
    "type": "object",
    "properties": {"event": _TEXT, "data": _TEXT | {"contentMediaType": "application/json"}, "id": _TEXT},
    "required": ["event", "data"],
}
LastEventId = Annotated[
    int | None, Header(alias="Last-Event-ID", ge=0, le=2**53, description="the `id` of the last event that was read")
]


@router.get(
    "",
    response_model=TaskView,
    operation_id="show_task",
    dependencies=READ,
    responses={**NOT_MODIFIED, **problems(401, 403, 404, 503)},
)
async def show_task(request: Request, platform: PlatformDep, principal: CurrentUser, task_id: str) -> Response:
    """Where a task stands; made for polling with `If-None-Match`."""
    return tagged(request, await quickly(request, task_views.readable_view, platform, principal, task_id))


@router.post(
    "/cancel",
    status_code=202,
    operation_id="cancel_task",
    dependencies=CONTROL,
    responses=problems(401, 403, 404, 409, 503),
)
def cancel_task(platform: PlatformDep, caller: CallerDep, task_id: TaskId) -> TaskView:
    """Stop a task: at once where it waits; a running training saves a checkpoint first, and can go on later."""
    submission.cancel(platform, caller, task_id)
    return task_views.task_view(platform, task_id)


@router.post(
    "/retry",
    status_code=202,
    response_model=TaskView,
    operation_id="retry_task",
    dependencies=CONTROL,
    responses=problems(401, 403, 404, 409, 422, 429, 503),
)
def retry_task(platform: PlatformDep, caller: CallerDep, idempotent: IdempotentDep, task_id: TaskId) -> JSONResponse:
    """Let a task go on that failed or was stopped, a training from its last good checkpoint."""

    def standing(_effects: list[str]) -> tuple[int, TaskView]:
        return 202, task_views.task_view(platform, task_id)

    def retry() -> tuple[int, TaskView]:
        submission.retry(platform, caller, task_id)
        return standing([])

    return idempotent.run(retry, recover=standing)


@router.get("/logs", operation_id="task_logs", dependencies=READ, responses=problems(401, 403, 404, 422, 503))
def read_log(platform: PlatformDep, task_id: TaskId, offset: Offset = 0, limit: LogBytes = 65_536) -> LogChunk:
    """A piece of the log; ask again from `next_offset`, also while the task writes. Not there yet means empty."""
    return task_outputs.read_log(platform, task_id, offset, limit)


@router.get("/metrics", operation_id="task_metrics", dependencies=READ, responses=problems(401, 403, 404, 422, 503))
def read_metrics(platform: PlatformDep, task_id: TaskId, wanted: WantedPointsDep) -> MetricSeries:
    """What a training reported. Of two points of one kind and step, the one of the higher attempt counts."""
    return task_outputs.read_points(platform, task_id, wanted)


@router.get(
    "/events",
    response_class=Response,
    status_code=200,
    operation_id="task_events",
    dependencies=READ,
    responses={
        200: {
            "description": "`task` (as GET /task/{task_id}) whenever state or stage change; each event of the run by "
            "its type (`stage`, `step`, `eval`, `checkpoint`, `warning` ...) with its `id`; `end` when it is over",
            "content": {EventStream.media_type: {"itemSchema": _EVENT}},
        },
        204: {"description": "The task has ended and `Last-Event-ID` is its last event: there is nothing to follow"},
        **problems(401, 403, 404, 422, 429, 503),
    },
)
async def follow_task(
    request: Request, platform: PlatformDep, principal: CurrentUser, task_id: TaskId, last_event_id: LastEventId = None
) -> Response:
    """Follow a task as server-sent events, from the beginning or from `Last-Event-ID` on."""
    follower: Follower = request.app.state.follower
    offset = last_event_id or 0
    events = await run_in_threadpool(task_outputs.events_path, platform, task_id)
    position = (await run_in_threadpool(task_outputs.look, platform, {task_id: events})).get(task_id)
    if last_event_id is not None and position and position.state.is_final and offset >= position.events_bytes:
        return Response(status_code=204)
    credential = request.headers["authorization"].partition(" ")[2]

    def check() -> None:
        now = authentication.authenticate(platform, credential)
        permissions.check(now, Permission.TASK_READ)
        task_views.check_readable(platform, now, task_id)

    return EventStream(
        follower,
        Followed(
            username=principal.username,
            task_id=task_id,
            events=events,
            offset=offset,
            view=lambda: task_views.task_view(platform, task_id),
            check=check,
        ),
    )

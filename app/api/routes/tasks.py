"""Lists of tasks."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from app.api.dependencies import CurrentUser, PlatformDep, Requires
from app.api.errors import problems
from app.api.etags import NOT_MODIFIED, tagged
from app.auth import permissions
from app.auth.permissions import Permission
from app.domain.task import TaskKind, TaskState
from app.schemas.paging import DEFAULT_LIMIT, MAX_LIMIT, Page
from app.schemas.tasks import TaskItem
from app.services import task_views

router = APIRouter(tags=["tasks"], dependencies=[Depends(Requires(Permission.TASK_READ))])


@router.get(
    "/tasks",
    response_model=Page[TaskItem],
    operation_id="list_tasks",
    responses={**NOT_MODIFIED, **problems(401, 403, 422, 503)},
)
def list_tasks(
    request: Request,
    platform: PlatformDep,
    principal: CurrentUser,
    state: Annotated[list[TaskState], Query(description="only in these states; without, all")] = [],  # noqa: B006
    kind: TaskKind | None = None,
    everyone: Annotated[bool, Query(alias="all", description="everybody's; for administrators")] = False,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
) -> Response:
    """One's own tasks, newest first; made for polling with `If-None-Match`."""
    if everyone:
        permissions.check(principal, Permission.EXPERIMENT_READ_ALL)
    page = task_views.list_page(
        platform, principal, everyone=everyone, states=state, kind=kind, cursor=cursor, limit=limit
    )
    return tagged(request, page)

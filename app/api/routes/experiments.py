"""Experiments: lists, one in full, several side by side; whose they are, and their end."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from app.api.dependencies import CallerDep, CurrentUser, PlatformDep, Requires
from app.api.errors import problems
from app.api.etags import NOT_MODIFIED, tagged
from app.api.points import WantedPointsDep
from app.auth.permissions import Permission
from app.domain.filters import COLUMNS, MAX_CHARACTERS
from app.schemas.experiments import Assignment, Comparison, Deletion, ExperimentItem, ExperimentView
from app.schemas.paging import DEFAULT_LIMIT, MAX_LIMIT, Page
from app.schemas.tasks import MetricSeries
from app.services import experiment_views

router = APIRouter(tags=["experiments"])

READ = [Depends(Requires(Permission.EXPERIMENT_READ))]
WRITE = [Depends(Requires(Permission.EXPERIMENT_WRITE))]
ALL = [Depends(Requires(Permission.EXPERIMENT_READ_ALL))]

Where = Annotated[
    str | None,
    Query(
        max_length=MAX_CHARACTERS,
        description=f"a condition on {', '.join(COLUMNS)}, with and, or, not and parentheses",
        examples=["accuracy > 0.9 and state = SUCCESS"],
    ),
]
Sort = Annotated[
    str | None,
    Query(max_length=200, description="columns to sort by, a minus for descending", examples=["-accuracy,name"]),
]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Cursor = Annotated[str | None, Query(description="`next` of the page before, for the same filter and order")]


@router.get(
    "/experiments",
    response_model=Page[ExperimentItem],
    operation_id="list_experiments",
    dependencies=ALL,
    responses={**NOT_MODIFIED, **problems(401, 403, 422, 503)},
)
def list_experiments(
    request: Request,
    platform: PlatformDep,
    principal: CurrentUser,
    where: Where = None,
    sort: Sort = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """Everybody's experiments, newest first unless `sort` says otherwise; for administrators."""
    page = experiment_views.list_page(
        platform, principal, everyone=True, where=where, sort=sort, cursor=cursor, limit=limit
    )
    return tagged(request, page)


@router.get(
    "/me/experiments",
    response_model=Page[ExperimentItem],
    operation_id="list_own_experiments",
    dependencies=READ,
    responses={**NOT_MODIFIED, **problems(401, 403, 422, 503)},
)
def list_own_experiments(
    request: Request,
    platform: PlatformDep,
    principal: CurrentUser,
    where: Where = None,
    sort: Sort = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """One's own experiments and those shared with one, newest first unless `sort` says otherwise."""
    page = experiment_views.list_page(
        platform, principal, everyone=False, where=where, sort=sort, cursor=cursor, limit=limit
    )
    return tagged(request, page)


@router.get(
    "/experiments/compare",
    operation_id="compare_experiments",
    dependencies=READ,
    responses=problems(401, 403, 404, 422, 503),
)
def compare_experiments(
    platform: PlatformDep,
    principal: CurrentUser,
    names: Annotated[list[str], Query(min_length=2, max_length=20, description="runs, in the order of the answer")],
) -> Comparison:
    """Where runs differ: settings, data, plan, scores."""
    return experiment_views.compare(platform, principal, names)


@router.get(
    "/experiments/{name}",
    operation_id="show_experiment",
    dependencies=READ,
    responses=problems(401, 403, 404, 503),
)
def show_experiment(platform: PlatformDep, principal: CurrentUser, name: str) -> ExperimentView:
    """Everything that is known of a run: scores, settings, plan, lineage, checkpoints."""
    return experiment_views.show(platform, principal, name)


@router.get(
    "/experiments/{name}/metrics",
    operation_id="experiment_metrics",
    dependencies=READ,
    responses=problems(401, 403, 404, 422, 503),
)
def read_metrics(platform: PlatformDep, principal: CurrentUser, name: str, wanted: WantedPointsDep) -> MetricSeries:
    """What a run reported, as its task's metrics; also for those it is shared with."""
    return experiment_views.points(platform, principal, name, wanted)


@router.get(
    "/experiments/{name}/deletion",
    operation_id="describe_deletion",
    dependencies=WRITE,
    responses=problems(401, 403, 404, 409, 503),
)
def describe_deletion(platform: PlatformDep, principal: CurrentUser, name: str) -> Deletion:
    """First step of deleting: what would go."""
    return experiment_views.describe_deletion(platform, principal, name)


@router.delete(
    "/experiments/{name}",
    status_code=204,
    operation_id="delete_experiment",
    dependencies=WRITE,
    responses=problems(401, 403, 404, 409, 422, 503),
)
def delete_experiment(
    platform: PlatformDep,
    caller: CallerDep,
    name: str,
    confirm: Annotated[str | None, Query(max_length=200, description="the name once more")] = None,
) -> None:
    """Second step of deleting: record, shares and files go, for good."""
    experiment_views.delete(platform, caller, name, confirm)


@router.post(
    "/experiments/{name}/assign",
    operation_id="assign_experiment",
    dependencies=ALL,
    responses=problems(400, 401, 403, 404, 413, 422, 503),
)
def assign_experiment(platform: PlatformDep, caller: CallerDep, name: str, body: Assignment) -> ExperimentItem:
    """Give a run, and its tasks, to an account; for administrators."""
    return experiment_views.assign(platform, caller, name, body.owner)

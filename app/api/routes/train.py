"""Ask for a training."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from app.api.dependencies import CallerDep, PlatformDep, Requires
from app.api.errors import problems
from app.api.idempotency import IdempotentDep
from app.auth.permissions import Permission
from app.domain.train_config import RUN_NAME_PATTERN
from app.schemas.tasks import Accepted
from app.schemas.train import TrainRequest
from app.services import train_requests
from app.services.platform import Platform

router = APIRouter(tags=["train"], dependencies=[Depends(Requires(Permission.TRAIN))])

RunName = Annotated[
    str | None, Query(pattern=RUN_NAME_PATTERN, description="the run's name; without it <experiment_name>-<NNN>")
]
Priority = Annotated[
    int, Query(ge=-100, le=100, description="higher ones come first; above 0 for administrators alone")
]


@router.post(
    "/train",
    status_code=202,
    response_model=Accepted,
    operation_id="train",
    responses=problems(400, 401, 403, 409, 413, 422, 429, 503),
)
def train(
    platform: PlatformDep,
    caller: CallerDep,
    idempotent: IdempotentDep,
    body: TrainRequest,
    name: RunName = None,
    priority: Priority = 0,
) -> JSONResponse:
    """Train on a stored data set. The body is the TrainConfig; 202 means that it was checked and will run."""
    return idempotent.run(
        lambda: (202, train_requests.submit(platform, caller, body.root, name=name, priority=priority)),
        recover=lambda effects: accepted_before(platform, effects),
    )


def accepted_before(platform: Platform, effects: list[str]) -> tuple[int, Accepted] | None:
    """The answer of a request that made a task and died before it could say so."""
    accepted = train_requests.recover(platform, effects)
    return None if accepted is None else (202, accepted)

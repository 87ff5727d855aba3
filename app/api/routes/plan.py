"""Ask what a training would be, without training."""

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from app.api.dependencies import CallerDep, PlatformDep, Requires
from app.api.errors import problems
from app.api.idempotency import IdempotentDep
from app.api.routes.train import accepted_before
from app.auth.permissions import Permission
from app.schemas.tasks import Accepted
from app.schemas.train import TrainRequest
from app.services import train_requests

router = APIRouter(tags=["train"], dependencies=[Depends(Requires(Permission.TRAIN))])


@router.post(
    "/plan",
    status_code=202,
    response_model=Accepted,
    operation_id="plan",
    responses=problems(400, 401, 403, 409, 413, 422, 429, 503),
)
def plan(platform: PlatformDep, caller: CallerDep, idempotent: IdempotentDep, body: TrainRequest) -> JSONResponse:
    """Resolve every `auto` on a worker's hardware and estimate time and memory; the task's `result` is the plan."""
    return idempotent.run(
        lambda: (202, train_requests.submit_plan(platform, caller, body.root)),
        recover=lambda effects: accepted_before(platform, effects),
    )

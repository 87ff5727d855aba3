"""What a TrainConfig takes, and whether one is right."""

from typing import Any

from fastapi import APIRouter, Depends

from app.api.dependencies import CallerDep, PlatformDep, Requires
from app.api.errors import problems
from app.auth.permissions import Permission
from app.domain.train_config import TrainConfig
from app.schemas.train import ConfigCheck, TrainRequest
from app.services import train_requests

router = APIRouter(prefix="/config", tags=["train"], dependencies=[Depends(Requires(Permission.ACCOUNT))])


@router.get("/schema", operation_id="config_schema", responses=problems(401, 403, 503))
def schema() -> dict[str, Any]:
    """The JSON Schema of a TrainConfig: every key, what it takes, its default."""
    return TrainConfig.model_json_schema()


@router.post("/validate", operation_id="validate_config", responses=problems(400, 401, 403, 413, 422, 503))
def validate(platform: PlatformDep, caller: CallerDep, body: TrainRequest) -> ConfigCheck:
    """Check a TrainConfig as POST /train would, and train nothing. 200 whether or not it is valid."""
    return train_requests.check_config(platform, caller, body.root)

"""Label every row of a file with a finished run: a task of a worker, whose file is fetched when it is done."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from app.api.dependencies import CallerDep, CurrentUser, PlatformDep, Requires, TaskId
from app.api.downloads import BINARY, PARTIAL, FileDownload, binary
from app.api.errors import problems
from app.api.idempotency import IdempotentDep
from app.api.uploads import content_of, received
from app.auth.permissions import Permission
from app.schemas.predictions import PredictForm
from app.schemas.tasks import Accepted
from app.services import predictions, train_requests

router = APIRouter(prefix="/predictions", tags=["predictions"])


def _body() -> dict[str, Any]:
    schema = PredictForm.model_json_schema()
    meaning = "rows with a column of texts: csv, tsv, jsonl, json, parquet, xlsx, text; zip or gz of one"
    schema["properties"] = {
        predictions.FILE_FIELD: {"type": "string", "format": "binary", "description": meaning},
        **schema["properties"],
    }
    schema["required"] = [predictions.FILE_FIELD, *schema.get("required", [])]
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


@router.post(
    "",
    status_code=202,
    response_model=Accepted,
    operation_id="predict_file",
    dependencies=[Depends(Requires(Permission.TRAIN))],
    openapi_extra=_body(),
    responses=problems(400, 401, 403, 404, 408, 409, 413, 422, 429, 503, 507),
)
async def predict_file(
    request: Request, platform: PlatformDep, principal: CurrentUser, caller: CallerDep, idempotent: IdempotentDep
) -> Response:
    """Let a worker label the rows. They keep their columns; the task's `result` counts the labels."""
    async with received(request, platform, principal, PredictForm) as (upload, form):

        def work() -> JSONResponse:
            def make() -> tuple[int, BaseModel]:
                return 202, predictions.submit(platform, caller, upload, form)

            return idempotent.run(
                make,
                content=content_of(upload, form),
                recover=lambda effects: _again(train_requests.recover(platform, effects)),
            )

        return await run_in_threadpool(work)


def _again(accepted: Accepted | None) -> tuple[int, BaseModel] | None:
    return None if accepted is None else (202, accepted)


@router.get(
    "/{task_id}",
    response_class=FileDownload,
    status_code=200,
    operation_id="download_predictions",
    dependencies=[Depends(Requires(Permission.TASK_READ))],
    responses={
        **binary(BINARY, "the rows with their labels, in the format they came in"),
        **PARTIAL,
        **problems(400, 401, 403, 404, 409, 416, 503),
    },
)
def download_predictions(platform: PlatformDep, caller: CallerDep, task_id: TaskId) -> FileDownload:
    """The labelled file of a prediction that is done, or the part of it that `Range` asks for."""
    return FileDownload(predictions.download(platform, caller, task_id))

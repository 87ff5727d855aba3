"""Ask a finished run about one text: passed on to the inference service, which has the models."""

from typing import TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from app.api.dependencies import Credentials, CurrentUser, PlatformDep, Requires
from app.api.errors import problem, problems
from app.api.threads import quickly
from app.auth.permissions import Permission
from app.schemas.inference import ExplainResponse, PredictResponse, RunText
from app.services.inference import InferenceService, Question, Refused, finished_run

router = APIRouter(tags=["inference"], dependencies=[Depends(Requires(Permission.EXPERIMENT_READ))])
Answer = TypeVar("Answer", bound=BaseModel)
_PROBLEMS = problems(400, 401, 403, 404, 409, 413, 422, 429, 500, 503)


@router.post("/predict", operation_id="predict", response_model=PredictResponse, responses=_PROBLEMS)
async def predict(
    request: Request, platform: PlatformDep, principal: CurrentUser, credentials: Credentials, body: RunText
) -> Response:
    """Classify one text with a finished run that one may read.

    The first question to a run takes some seconds, until its model is in memory.
    """
    await quickly(request, finished_run, platform, principal, body.run)
    return await _asked(request, "/predict", credentials, body, PredictResponse)


@router.post("/explain", operation_id="explain", response_model=ExplainResponse, responses=_PROBLEMS)
async def explain(
    request: Request, platform: PlatformDep, principal: CurrentUser, credentials: Credentials, body: RunText
) -> Response:
    """Estimate which words of a text mattered for the answer of a finished run, by leaving out one at a time."""
    await quickly(request, finished_run, platform, principal, body.run)
    return await _asked(request, "/explain", credentials, body, ExplainResponse)


async def _asked(
    request: Request, question: Question, credentials: Credentials, body: RunText, kind: type[Answer]
) -> Response:
    assert credentials is not None, "the route asks for a sign-in"
    service: InferenceService = request.app.state.inference
    try:
        answer = await service.ask(question, body, credentials.credentials, kind)
    except Refused as refused:
        found = refused.problem
        headers = {"Retry-After": refused.retry_after} if refused.retry_after else None
        detail = found.detail.removesuffix(f"; {found.hint}") if found.hint else found.detail
        return problem(request, found.status, found.code, detail, hint=found.hint, headers=headers)
    return JSONResponse(answer.model_dump(mode="json"))

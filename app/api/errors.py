"""What each error means in HTTP, decided once; every answer that says no is problem+json with a request id."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
from itertools import islice
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.api.headers import headers_of
from app.domain import errors
from app.domain.errors import PlatformError
from app.domain.wording import made_of, say
from app.schemas.problem import Problem, ProblemPlace
from app.services.version_views import findings_of

logger = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"

STATUS: dict[type[PlatformError], int] = {
    errors.PlatformError: 500,
    errors.InvalidInput: 422,
    errors.ConfigError: 422,
    errors.DataUnreadable: 422,
    errors.AmbiguousColumns: 422,
    errors.ModelUnusable: 422,
    errors.NotFound: 404,
    errors.Hidden: 404,
    errors.DataBlocked: 422,
    errors.Conflict: 409,
    errors.StorageError: 503,
    errors.DatasetDamaged: 500,
    errors.CheckpointDamaged: 500,
    errors.TrainingFailed: 500,
    errors.ProofFailed: 500,
    errors.ServiceUnavailable: 503,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.TooManyRequests: 429,
    errors.QuotaExceeded: 429,
    errors.TooLarge: 413,
    errors.IdempotencyMismatch: 422,
    errors.AuditUnavailable: 503,
}
"""Every subclass of PlatformError; a test proves that none is missing."""

_ASK = say("try again later; an administrator finds the reason in the server's log")
_OWN_FAULTS: dict[str, tuple[str, str]] = {
    "audit.unavailable": (say("the audit log cannot be written, so nothing was changed"), _ASK),
    "broker.unavailable": (say("the queue does not answer"), _ASK),
    "checkpoint.damaged": (say("a checkpoint is damaged on the server"), _ASK),
    "data.damaged": (
        say("a stored version is damaged on the server"),
        say("its log says which file; add the data again"),
    ),
    "database.unavailable": (say("the database does not answer"), _ASK),
    "storage.busy": (say("the database is busy"), say("try again in a moment")),
    "storage.full": (say("the disk of the server is full"), say("ask an administrator to free some space")),
}
"""By code, what anybody may know of a fault of the server's own; paths and addresses are for its log alone."""
_NAME_RUNS_ALONE = {"run.damaged", "run.incomplete"}
"""Codes of StorageErrors that tell of a run, not of the disk."""

RETRY_AFTER_SECONDS = 5
MAX_PLACES = 100
"""Faults of one request that are told."""
MAX_SHOWN = 200
"""Characters of a key that a client sent."""
UNREADABLE = "There was an error parsing the body"
"""FastAPI's words for a body that is no text or has too long a number; whatever else is no JSON it answers with 422."""


def status_of(error: PlatformError) -> int:
    """The HTTP status of an error; a full disk is 507."""
    return 507 if error.code == "storage.full" else STATUS[type(error)]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: the errors it can give, each as problem+json."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def request_id_of(request: Request) -> str:
    """The id the middleware gave this request."""
    return str(request.scope.get("request_id", ""))


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    hint: str = "",
    places: list[ProblemPlace] | None = None,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    """An answer that says no; `more` are the fields of Problem that few of them have."""
    body = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=f"{detail}; {hint}" if hint else detail,
        request_id=request_id_of(request),
        hint=hint,
        errors=places or [],
        said={name: one for name, text in (("detail", detail), ("hint", hint)) if (one := made_of(text)) is not None},
        **more,
    )
    optional = ("hint", "errors", "findings", "choices")
    content = body.model_dump(mode="json", exclude={name for name in optional if not getattr(body, name)})
    return JSONResponse(content, status_code=status, media_type=PROBLEM_JSON, headers=headers)


Record = Callable[[Request, PlatformError], Awaitable[None]]
"""Hears of each error of ours before it is answered."""


def install(app: FastAPI, record: Record) -> None:
    """Answer every error of this application as problem+json; `record` writes down those that deny something."""

    async def refused(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, PlatformError)
        await record(request, error)
        return _refused(request, error)

    app.add_exception_handler(PlatformError, refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _crashed)


def _refused(request: Request, error: PlatformError) -> JSONResponse:
    status = status_of(error)
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.TooManyRequests):
        headers["Retry-After"] = str(max(1, round(error.retry_after_seconds)))
    elif status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    message, hint = _told(error)
    if status == 500:
        logger.error("request %s failed", request_id_of(request), exc_info=error)
    elif message != error.message:
        logger.warning("request %s failed: %s", request_id_of(request), error.message)
    places = [ProblemPlace(pointer=pointer, detail=what) for pointer, what in error.places]
    more: dict[str, Any] = {}
    if isinstance(error, errors.DataBlocked):
        more["findings"] = findings_of(error.reports)
    elif isinstance(error, errors.AmbiguousColumns):
        more["choices"] = error.choices
    return problem(request, status, error.code, message, hint=hint, places=places, headers=headers, **more)


def _told(error: PlatformError) -> tuple[str, str]:
    """Message and hint of an error as they leave this machine."""
    if error.code in _OWN_FAULTS:
        return _OWN_FAULTS[error.code]
    if isinstance(error, errors.StorageError) and error.code not in _NAME_RUNS_ALONE:
        return say("the server cannot use its storage"), _ASK
    return error.message, error.hint


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    places = list(islice(_places(error), MAX_PLACES))
    detail = "; ".join(f"{place.pointer or 'the request'}: {place.detail}" for place in places[:5])
    return problem(request, 422, "request.invalid", detail, places=places)


def _places(error: RequestValidationError) -> Iterator[ProblemPlace]:
    for fault in error.errors():
        kind, *location = fault["loc"] or ("body",)
        pointer = "".join("/" + str(part)[:MAX_SHOWN].replace("~", "~0").replace("/", "~1") for part in location)
        where = pointer if kind == "body" else f"{kind}{pointer}"
        yield ProblemPlace(pointer=where, detail=str(fault["msg"]))


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 400 and error.detail == UNREADABLE:
        return problem(request, 422, "request.invalid", say("the body is no JSON in UTF-8"))
    code = {404: "not_found", 405: "method.not_allowed", 413: "input.too_large"}.get(error.status_code)
    detail = f"{request.method} {request.url.path}: {error.detail}"
    return problem(request, error.status_code, code or "request.refused", detail, headers=dict(error.headers or {}))


async def _crashed(request: Request, error: Exception) -> JSONResponse:
    logger.error("request %s failed", request_id_of(request), exc_info=error)
    detail = say("the server failed to answer; its log has the reason under this request id")
    # This is answered outside of all middleware, which adds them elsewhere.
    return problem(request, 500, "server.failed", detail, headers=headers_of(request_id_of(request)))

"""Composition root of the inference service (:8002): one adapter behind `POST /predict`, on loopback.

`python -m app.inference_api RUN_DIR PORT` serves a finished run; `finetune serve` finds the run and starts it.
"""

import logging
import sys
import time
import uuid
from http import HTTPStatus
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.errors import PlatformError
from app.runs.directory import RunDirectory
from app.schemas.inference import HealthResponse, PredictRequest, PredictResponse
from app.schemas.problem import Problem
from app.serving.predictor import Predictor, load_run

logger = logging.getLogger(__name__)

LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"]


MAX_BODY_BYTES = 16_000_000
"""Room for the longest text allowed with every character escaped."""


class BodyLimit:
    """ASGI middleware: a request body that is too large, or grows so, is refused before it is held in memory."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what arrives."""
        announced = dict(scope.get("headers", ())).get(b"content-length", b"0")
        received = int(announced) if announced.isdigit() else 0

        async def counted() -> Message:
            nonlocal received
            message = {"type": "http.request"} if received > MAX_BODY_BYTES else await receive()
            if not announced.isdigit() or announced == b"0":
                received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                raise HTTPException(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
            return message

        await self._app(scope, counted, send)


def create_app(predictor: Predictor) -> FastAPI:
    """The service for one loaded adapter."""
    app = FastAPI(title="Finetune-30-days inference", version="1")
    app.add_middleware(BodyLimit)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK_HOSTS)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _crashed)
    problems: dict[int | str, dict[str, Any]] = {
        413: {"model": Problem},
        422: {"model": Problem},
        500: {"model": Problem},
    }

    @app.get("/health")
    def health() -> HealthResponse:
        """Whether the service is up, and with which model."""
        return HealthResponse(status="ok", model=predictor.name, base_model=predictor.base_model)

    @app.get("/ready")
    def ready() -> HealthResponse:
        """Whether texts are answered; the model is loaded before the port opens."""
        return health()

    @app.post("/predict", responses=problems)
    def predict(body: PredictRequest) -> PredictResponse:
        """Classify one text."""
        start = time.perf_counter()
        answer = predictor.predict([body.text])[0]
        return PredictResponse(
            label=answer.label,
            probability=answer.probability,
            latency_ms=round((time.perf_counter() - start) * 1000, 1),
            base_model=predictor.base_model,
            language=predictor.language,
            label_name=answer.label_name,
            scores=answer.scores,
            model=predictor.name,
            truncated=answer.truncated,
        )

    return app


def _problem(status: int, code: str, detail: str) -> JSONResponse:
    body = Problem(
        title=HTTPStatus(status).phrase, status=status, code=code, detail=detail, request_id=uuid.uuid4().hex
    )
    return JSONResponse(body.model_dump(), status_code=status, media_type="application/problem+json")


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    places = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    return _problem(422, "request.invalid", f'{"; ".join(places)}. Send JSON like {{"text": "some words"}}.')


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _problem(error.status_code, "request.refused", f"{request.method} {request.url.path}: {error.detail}")


async def _crashed(_request: Request, error: Exception) -> JSONResponse:
    logger.error("a request failed", exc_info=error)
    return _problem(500, "server.failed", "the service failed to answer; its log has the reason")


def main(directory: str, port: str) -> int:
    """Load the run, then open the port: whoever can connect gets answers."""
    try:
        predictor = load_run(RunDirectory(Path(directory)))
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{predictor.name} on {predictor.base_model}: http://127.0.0.1:{port}/predict (docs at /docs)", flush=True)
    uvicorn.run(create_app(predictor), host="127.0.0.1", port=int(port), log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

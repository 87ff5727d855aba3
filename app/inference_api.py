"""Composition root of the inference service (:8002), in two forms.

`python -m app.inference_api RUN_DIR PORT` serves one finished run on loopback to whoever asks; `finetune serve` finds
the run and starts it. `python -m app.inference_api SOCKET` serves every finished run of an installation, on a listening
socket that is inherited, to whoever may read the run; `finetune start` makes the socket and starts it.
"""

import asyncio
import logging
import socket
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import uvicorn
from anyio import CapacityLimiter
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from app.api import denials, errors, middleware, threads
from app.api.dependencies import CurrentUser, PlatformDep, Public, Requires
from app.auth.permissions import Permission
from app.domain.errors import PlatformError, ServiceUnavailable, TooManyRequests
from app.domain.task import TaskKind
from app.domain.wording import say
from app.runs.directory import RunDirectory
from app.schemas.inference import (
    ExplainResponse,
    HealthResponse,
    PredictRequest,
    PredictResponse,
    RunText,
    ShelfResponse,
)
from app.schemas.problem import Problem
from app.services import inference
from app.services.health import ReadinessProbe
from app.services.platform import Platform, open_platform
from app.serving import answers
from app.serving.answers import Ready
from app.serving.shelf import Shelf
from app.settings import get_settings, share_cores

if TYPE_CHECKING:  # that module loads torch, which waits for the first question
    from app.serving.predictor import Predictor

logger = logging.getLogger(__name__)

LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
MAX_BODY_BYTES = 16_000_000
"""Room for the longest text allowed with every character escaped."""
MAX_TRIED_BYTES = 262_144
"""Of a request to the service of an installation, as of the API."""
MAX_HEAD_BYTES = 32_768
MAX_OF_ONE = 4
"""Questions of one account at once: an explanation is a hundred passes, and others ask, too."""
SECONDS_TO_WAIT = 2.0


# ---- one run, for whoever asks on this machine ----


def create_app(predictor: "Predictor") -> FastAPI:
    """The service for one loaded adapter."""
    app = FastAPI(title="Finetune-30-days inference", version="1")
    app.add_middleware(middleware.BodyLimit, limit_of=lambda _scope: MAX_BODY_BYTES)
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
        return answers.predict(predictor, body.text)

    @app.post("/explain", responses=problems)
    def explain(body: PredictRequest) -> ExplainResponse:
        """Estimate which words of one text mattered for its answer."""
        return answers.explain(predictor, body.text)

    return app


def _problem(status: int, code: str, detail: str) -> JSONResponse:
    body = Problem(
        title=HTTPStatus(status).phrase, status=status, code=code, detail=detail, request_id=uuid.uuid4().hex
    )
    return JSONResponse(body.model_dump(), status_code=status, media_type=errors.PROBLEM_JSON)


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


# ---- every finished run of an installation, for whoever may read it ----

router = APIRouter()
_READ = [Depends(Requires(Permission.EXPERIMENT_READ))]


async def _model(request: Request, platform: PlatformDep, principal: CurrentUser, body: RunText) -> Ready:
    """The model of the run that is named; NotFound unless the caller may read it, Conflict before it has finished."""
    shelf: Shelf[Ready] = request.app.state.shelf
    run = await threads.quickly(request, inference.finished_run, platform, principal, body.run)
    loading = await threads.quickly(request, shelf.take, run)
    # Others wait for it too, whatever becomes of this request.
    return await asyncio.shield(asyncio.wrap_future(loading))


Model = Annotated[Ready, Depends(_model)]


async def _turn(request: Request, principal: CurrentUser) -> AsyncIterator[None]:
    """One of the few questions that are answered for one account at once; TooManyRequests beyond."""
    asking: Counter[str] = request.app.state.asking
    if asking[principal.username] >= MAX_OF_ONE:
        raise TooManyRequests(
            say(
                "{most_of_one} requests of {username} are being worked on",
                most_of_one=MAX_OF_ONE,
                username=principal.username,
            ),
            retry_after_seconds=SECONDS_TO_WAIT,
            hint="wait for their answers",
        )
    asking[principal.username] += 1
    try:
        yield
    finally:
        asking[principal.username] -= 1
        if not asking[principal.username]:
            del asking[principal.username]


_ONE_OF_FEW = [*_READ, Depends(_turn)]


@router.get("/health", dependencies=[Depends(Public())])
async def show_health(request: Request) -> ShelfResponse:
    """The process answers."""
    return ShelfResponse(status="ok", loaded=request.app.state.shelf.num_loaded)


@router.get("/ready", dependencies=[Depends(Public())])
async def show_readiness(request: Request, platform: PlatformDep) -> ShelfResponse:
    """The database answers too, which says who asks and whose a run is."""
    await threads.quickly(request, request.app.state.readiness.check, platform)
    return await show_health(request)


@router.post("/predict", dependencies=_ONE_OF_FEW)
async def predict(body: RunText, model: Model) -> PredictResponse:
    """Classify one text with a finished run."""
    return await model.predict(body.text)


@router.post("/explain", dependencies=_ONE_OF_FEW)
async def explain(body: RunText, model: Model) -> ExplainResponse:
    """Estimate which words of one text mattered for a finished run's answer."""
    return await model.explain(body.text)


def create_platform_app(platform: Platform, load: Callable[[RunDirectory], Ready] = answers.load) -> FastAPI:
    """The service for an installation; what may be sent is described by the API, which passes it on."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.shelf.close()
        platform.audit.record_counted_denials()

    app = FastAPI(title="Finetune-30-days inference", openapi_url=None, redirect_slashes=False, lifespan=lifespan)
    app.state.platform = platform
    app.state.quick_threads = CapacityLimiter(threads.AT_ONCE)
    app.state.readiness = ReadinessProbe()
    app.state.asking = Counter()
    app.state.shelf = Shelf(load, platform.settings.serve_models)
    errors.install(app, denials.record)
    app.include_router(router)
    app.add_middleware(middleware.BodyLimit, limit_of=lambda _scope: MAX_TRIED_BYTES)
    app.add_middleware(middleware.HostCheck, allowed=[*platform.settings.allowed_hosts, *LOOPBACK_HOSTS])
    app.add_middleware(middleware.HeaderLimit, limit=MAX_HEAD_BYTES)
    app.add_middleware(middleware.RequestIds)
    return app


class _NoQueue:
    """In place of the queue: nothing is sent to workers from here."""

    def send(self, task_id: str, kind: TaskKind) -> None:
        """Refuse it."""
        raise ServiceUnavailable(f"the inference service starts no work ({kind} {task_id})")

    def check(self) -> None:
        """Whether it answers makes no difference here."""


# ---- processes ----


def main(*arguments: str) -> int:
    """Serve one run (RUN_DIR PORT), or those of the installation (SOCKET)."""
    try:
        return _serve_run(*arguments) if len(arguments) == 2 else _serve_installation(*arguments)
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _serve_run(directory: str, port: str) -> int:
    """Load the run, then open the port: whoever can connect gets answers."""
    from app.serving.predictor import load_run

    predictor = load_run(RunDirectory(Path(directory)))
    print(f"{predictor.name} on {predictor.base_model}: http://127.0.0.1:{port}/predict (docs at /docs)", flush=True)
    uvicorn.run(create_app(predictor), host="127.0.0.1", port=int(port), log_level="warning")
    return 0


def _serve_installation(descriptor: str) -> int:
    from app.api.server import serve
    from app.monitor.logging_utils import configure_logging

    configure_logging()
    share_cores()
    app = create_platform_app(open_platform(get_settings(), _NoQueue()))
    with socket.socket(fileno=int(descriptor)) as listening:
        serve(app, listening, "the inference service")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

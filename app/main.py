"""Composition root of the API (:8000): FastAPI over the services, with the queue behind them.

`python -m app.main SOCKET` serves it on a listening socket that is inherited; `finetune api` makes one and starts it.
"""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.types import Scope

from app.api import denials, documentation, errors, threads
from app.api.event_streams import Follower
from app.api.middleware import BodyLimit, HeaderLimit, HostCheck, RequestIds
from app.api.request_numbers import CountRequests
from app.api.routes import ROUTERS
from app.monitor.exporter import RequestNumbers
from app.services import first_administrator, task_outputs
from app.services.health import ReadinessProbe
from app.services.inference import InferenceService
from app.services.platform import Platform, open_platform
from app.settings import Settings, get_settings

MAX_BODY_BYTES = 262_144
"""Of everything but uploads; a body of JSON takes many times its size in memory while it is read."""
MAX_HEAD_BYTES = 32_768
_ASKED_WITH = (
    "Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "If-Range", "Last-Event-ID", "Range",
)  # fmt: skip
_ANSWERED_WITH = ("Content-Disposition", "Content-Range", "ETag", "Retry-After", "X-Content-SHA256", "X-Request-ID")
"""Headers that pages of other origins, where they are allowed, may send and read."""
UPLOAD_PATHS = ("/datasets", "/datasets/validate", "/predictions")
"""Forms with files; what is sent there in another form is no upload."""


def create_app(platform: Platform | None = None) -> FastAPI:
    """The API of an installation; without one, that of the settings is opened when the application starts."""
    settings = platform.settings if platform else get_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.platform = platform or _open(settings)
        _offer_setup(app.state.platform)
        yield
        await app.state.inference.close()
        app.state.platform.audit.record_counted_denials()

    app = FastAPI(
        title="Finetune-30-days",
        version="1",
        description="LoRA fine-tuning: data, training, experiments and audit for several people.",
        lifespan=lifespan,
        # Behind a proxy that speaks TLS, the address it would lead to is one without.
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    if platform:
        app.state.platform = platform
    app.state.quick_threads = CapacityLimiter(threads.AT_ONCE)
    app.state.readiness = ReadinessProbe()
    app.state.follower = Follower(lambda watched: task_outputs.look(app.state.platform, watched))
    app.state.request_numbers = RequestNumbers()
    app.state.inference = InferenceService(settings.effective_inference_url)
    errors.install(app, denials.record)
    for router in ROUTERS:
        app.include_router(router)
    _declare_problems(app)
    documentation.install(app)
    app.add_middleware(BodyLimit, limit_of=lambda scope: _body_limit(settings, scope))
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["*"],
            allow_headers=[*_ASKED_WITH],
            expose_headers=[*_ANSWERED_WITH],
        )
    app.add_middleware(HostCheck, allowed=settings.allowed_hosts)
    app.add_middleware(HeaderLimit, limit=MAX_HEAD_BYTES)
    app.add_middleware(RequestIds)
    app.add_middleware(CountRequests, numbers=app.state.request_numbers)
    return app


def _open(settings: Settings) -> Platform:
    from app.tasks.queue import CeleryQueue

    return open_platform(settings, CeleryQueue(settings))


def _offer_setup(platform: Platform) -> None:
    """Tell whoever starts the server how to make the first account, while there is none."""
    code = first_administrator.offer_code(platform)
    if code is not None:
        print(
            f"There is no account yet. The code {code} makes the first administrator, once:\n"
            f'  POST /setup {{"code": "{code}", "username": NAME, "password": PASSWORD}}\n'
            "or, on this machine: finetune users create NAME --role admin",
            file=sys.stderr,
            flush=True,
        )


def _body_limit(settings: Settings, scope: Scope) -> int:
    kind = dict(scope["headers"]).get(b"content-type", b"").lower()
    is_upload = scope["path"] in UPLOAD_PATHS and kind.startswith(b"multipart/form-data")
    return settings.max_upload_bytes + MAX_BODY_BYTES if is_upload else MAX_BODY_BYTES


def _declare_problems(app: FastAPI) -> None:
    """Put the Problem schema into the OpenAPI document, which routes refer to by name."""
    from app.schemas.problem import Problem

    made = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "Problem" not in schemas:
            schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(schema.pop("$defs", {}))
            schemas["Problem"] = schema
        # FastAPI adds its own 422 to what declares none: for parameters of a path that may be any text.
        for operations in document["paths"].values():
            for operation in operations.values():
                if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                    del operation["responses"]["422"]
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def main(descriptor: str) -> int:
    """Open the installation, then serve: a start that cannot work ends with one line."""
    from app.api.server import serve
    from app.domain.errors import PlatformError
    from app.monitor.logging_utils import configure_logging

    configure_logging()
    try:
        app = create_app(_open(get_settings()))
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with socket.socket(fileno=int(descriptor)) as listening:
        serve(app, listening)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

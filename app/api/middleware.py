"""ASGI middleware that every request passes: an id, limits on head and body, and headers that keep browsers careful."""

import re
import uuid
from collections.abc import Callable, Sequence

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import problem
from app.api.headers import headers_of


class RequestIds:
    """Gives each request an id, in `scope["request_id"]` and the answer; one a client sends is never trusted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with an id, and answer with it and the security headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["request_id"] = request_id = uuid.uuid4().hex

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                present = {name.lower() for name, _ in headers}
                for name, value in headers_of(request_id).items():
                    if name.lower().encode() not in present:
                        headers.append((name.lower().encode(), value.encode()))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, answer)


class HeaderLimit:
    """A head that is too long is refused; a server stops reading one sooner, unless all of it comes at once."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with 431."""
        if (
            scope["type"] != "http"
            or sum(len(name) + len(value) + 4 for name, value in scope["headers"]) <= self._limit
        ):
            await self._app(scope, receive, send)
            return
        detail = f"the headers are longer than {self._limit} bytes"
        await problem(Request(scope), 431, "request.headers_too_large", detail)(scope, receive, send)


class BodyLimit:
    """A request body that is too large, or grows so, is refused before it is held in memory.

    `limit_of` gives the bytes a request may take.
    """

    def __init__(self, app: ASGIApp, limit_of: Callable[[Scope], int]) -> None:
        self._app, self._limit_of = app, limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what arrives."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit_of(scope)
        announced = dict(scope.get("headers", ())).get(b"content-length", b"")
        received = 0
        too_large = HTTPException(413, f"the body is larger than {limit} bytes")

        async def counted() -> Message:
            nonlocal received
            if announced.isdigit() and int(announced) > limit:
                raise too_large
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise too_large
            return message

        await self._app(scope, counted, send)


class HostCheck:
    """Answers only to names this installation is known by, so that no page can reach it by rebinding a name."""

    def __init__(self, app: ASGIApp, allowed: Sequence[str]) -> None:
        self._app, self._allowed = app, {name.lower() for name in allowed}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with 400."""
        if scope["type"] != "http" or "*" in self._allowed or _host_of(scope) in self._allowed:
            await self._app(scope, receive, send)
            return
        refused = problem(
            Request(scope), 400, "request.unknown_host", "this name is not served; ALLOWED_HOSTS lists those that are"
        )
        await refused(scope, receive, send)


def _host_of(scope: Scope) -> str:
    """The Host header without its port, in lower case."""
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1").lower()
    name, colon, port = host.rpartition(":")
    return name if colon and re.fullmatch(r"[0-9]{0,5}", port) else host

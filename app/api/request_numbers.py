"""ASGI middleware that counts what is answered and how long it took, for /metrics."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.monitor.exporter import RequestNumbers

UNKNOWN_ROUTE = "none"
_STREAM = b"text/event-stream"


class CountRequests:
    """Counts requests by their route; a stream of events counts when it ends, without its time."""

    def __init__(self, app: ASGIApp, numbers: RequestNumbers) -> None:
        self._app, self._numbers = app, numbers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, is_stream, began = 500, False, time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = dict(message.get("headers", ())).get(b"content-type", b"").startswith(_STREAM)
            await send(message)

        self._numbers.begin()
        try:
            await self._app(scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
            seconds = None if is_stream else time.perf_counter() - began
            self._numbers.end(scope["method"], route, status, seconds)

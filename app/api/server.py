"""uvicorn as this installation runs it: clients that send or read too slowly, or no HTTP at all, are shown the door.

The listening socket comes from outside, so that a port is taken before anything else starts, and stays open while the
process behind it is replaced.
"""

import asyncio
import json
import logging
import resource
import signal
import socket
import uuid
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.api.errors import PROBLEM_JSON, RETRY_AFTER_SECONDS
from app.api.headers import headers_of
from app.schemas.problem import Problem

logger = logging.getLogger(__name__)

SECONDS_TO_SEND = 20.0
"""For a request line with its headers, and for a body; each further second costs MIN_BYTES_PER_SECOND."""
MIN_BYTES_PER_SECOND = 500
SECONDS_TO_READ = 60.0
"""How long a client may leave an answer that is ready for it in our buffers, at once, and in all while it takes fewer
than READ_BYTES_PER_SECOND."""
READ_BYTES_PER_SECOND = 10_000
CHECK_SECONDS = 1.0
KEEP_ALIVE_SECONDS = 30
SECONDS_TO_FINISH = 5
"""For requests that are being answered when the server is told to stop; streams of events are cut then."""
MAX_HEADER_BYTES = 32_768
MAX_CONNECTIONS = 1000


class PatientProtocol(H11Protocol):
    """HTTP/1.1 on one connection, patient for so long: a request that trickles in is answered with 408."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock: the first request is due."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self.app = _too_busy
        self.app = self._counted(self.app)
        self._begun, self._received, self._is_due = self.loop.time(), 0, True
        self._unread_since: float | None = None
        self._given, self._waited = 0, 0.0
        self._clock = self.loop.call_later(CHECK_SECONDS, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._clock.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what arrives of a request, from its first byte to its last."""
        if not self._is_due:
            self._begun, self._received, self._is_due = self.loop.time(), 0, True
        self._received += len(data)
        super().data_received(data)
        self._is_due = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or more of it than is taken."""
        self._refuse(400, "request.malformed", f"this is not an HTTP request that is understood here: {msg}")

    def _check(self) -> None:
        if self.transport.is_closing():
            return
        self._clock = self.loop.call_later(CHECK_SECONDS, self._check)
        now = self.loop.time()
        if not self.flow.write_paused:
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
        elif now - self._unread_since > SECONDS_TO_READ:
            self.transport.abort()
        if self.flow.write_paused:
            self._waited += CHECK_SECONDS
            if self._waited > SECONDS_TO_READ + self._given / READ_BYTES_PER_SECOND:
                self.transport.abort()
        if self._is_due and self.flow.read_paused:
            self._begun += CHECK_SECONDS  # we are the slow one
        elif self._is_due and now - self._begun > SECONDS_TO_SEND + self._received / MIN_BYTES_PER_SECOND:
            self._refuse(408, "request.too_slow", "the request did not arrive in time")

    def _counted(self, app: ASGIApp) -> ASGIApp:
        """The application; what it sends is counted, which goes on only as the client reads."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            async def give(message: Message) -> None:
                await send(message)
                self._given += len(message.get("body", b""))

            await app(scope, receive, give)

        return counted

    def _refuse(self, status: int, code: str, detail: str) -> None:
        """Answer in the application's place, where it has not begun to, and close the connection."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            content, headers = _problem(status, code, detail)
            head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            head += "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
            self.transport.write(f"{head}\r\n".encode() + content)
        self.transport.close()


def _problem(status: int, code: str, detail: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers of an answer that the application has no part in, and that ends the connection."""
    request_id = uuid.uuid4().hex
    title = HTTPStatus(status).phrase
    body = Problem(title=title, status=status, code=code, detail=detail, request_id=request_id).model_dump()
    content = json.dumps({name: value for name, value in body.items() if value}).encode()
    own = {"Content-Type": PROBLEM_JSON, "Content-Length": str(len(content)), "Connection": "close"}
    return content, {**own, **headers_of(request_id)}


async def _too_busy(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers in the application's place where there are too many connections."""
    content, headers = _problem(503, "server.busy", "too many clients are connected; try again in a moment")
    headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 503, "headers": lines})
    await send({"type": "http.response.body", "body": content})


def _allow_open_files(wanted: int) -> None:
    """Each connection is one; what a shell allows by default is about as many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard < 0 else min(wanted, hard), hard))


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """A client that goes away in the middle of a request is no fault of ours, and needs no traceback."""
    kind = record.exc_info[0] if record.exc_info else None
    return not (kind and issubclass(kind, ClientDisconnect))


def serve(app: Any, listening: socket.socket, name: str = "the API") -> None:
    """Answer requests on the socket until SIGTERM or SIGINT; requests that are being answered are finished first."""
    _allow_open_files(2 * MAX_CONNECTIONS)
    logging.getLogger("uvicorn.error").addFilter(_is_worth_a_line)
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn handles it, and then raises it again
    host, port = listening.getsockname()[:2]
    logger.info("%s listens on %s, port %d", name, host, port)
    uvicorn.Server(config).run(sockets=[listening])

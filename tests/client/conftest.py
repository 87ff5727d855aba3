"""A server on the loopback interface that answers by a script, for what a real one does too seldom."""

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass
class Seen:
    """One request as it arrived, header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Script:
    """What a scripted server answers, one item a request, the last one for ever.

    None breaks the connection; a function is asked for what to answer.
    """

    answers: list[Any]
    seen: list[Seen] = field(default_factory=list)
    address: str = ""


def answer(status: str, body: str = "", **headers: str) -> bytes:
    """The bytes of an HTTP answer that closes its connection."""
    lines = [f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {len(body.encode())}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


class _Handler(socketserver.StreamRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        method, path, _ = self.rfile.readline().decode().split(" ", 2)
        headers = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        body = self.rfile.read(int(headers.get("content-length", 0)))
        with self.server.lock:
            script = self.server.script
            script.seen.append(seen := Seen(method, path, headers, body))
            given = script.answers[0] if len(script.answers) == 1 else script.answers.pop(0)
        if callable(given):
            given = given(seen)
        if given is not None:
            self.wfile.write(given)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    lock = threading.Lock()
    script: Script


@pytest.fixture
def scripted() -> Iterator[Callable[..., Script]]:
    """`scripted(answer, answer, ...)` starts a server that gives these answers and remembers what it was asked."""
    with ExitStack() as stack:

        def start(*answers: bytes | None) -> Script:
            server = stack.enter_context(_Server(("127.0.0.1", 0), _Handler))
            server.script = Script(list(answers), address=f"http://127.0.0.1:{server.server_address[1]}")
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
            stack.callback(server.shutdown)
            return server.script

        yield start


class _Cut(socketserver.StreamRequestHandler):
    server: "Cutter"

    def handle(self) -> None:
        with socket.create_connection(self.server.target) as upstream:
            threading.Thread(target=self._upwards, args=(upstream,), daemon=True).start()
            with self.server.lock:
                left = self.server.limits.pop(0) if self.server.limits else None
            while piece := upstream.recv(65_536 if left is None else min(left, 65_536)):
                self.connection.sendall(piece)
                left = None if left is None else left - len(piece)
                if left == 0:
                    return

    def _upwards(self, upstream: socket.socket) -> None:
        try:
            while piece := self.connection.recv(65_536):
                self.server.sent += piece
                upstream.sendall(piece)
        except OSError:
            return


class Cutter(socketserver.ThreadingTCPServer):
    """Passes bytes on; of the first answers only so many bytes as `limits` says."""

    daemon_threads = True

    def __init__(self, address: str, limits: list[int]) -> None:
        super().__init__(("127.0.0.1", 0), _Cut)
        host, port = address.removeprefix("http://").split(":")
        self.target, self.limits, self.lock, self.sent = (host, int(port)), limits, threading.Lock(), b""

    def handle_error(self, *_request: Any) -> None:
        """Connections end in every way here."""


@pytest.fixture
def cutting() -> Iterator[Callable[..., Cutter]]:
    """`cutting(address, limits)` starts a proxy that cuts the first answers after so many bytes."""
    with ExitStack() as stack:

        def start(address: str, limits: list[int]) -> Cutter:
            cutter = stack.enter_context(Cutter(address, limits))
            threading.Thread(target=cutter.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
            stack.callback(cutter.shutdown)
            return cutter

        yield start

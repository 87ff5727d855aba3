"""A server on the loopback interface that answers by a script, for what a real one does too seldom."""

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

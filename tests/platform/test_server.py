"""The API's server: patient for so long, closed to what is no HTTP, and on a port that is taken before it starts."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from app.cli.listening import check_free, listen
from app.domain.errors import Conflict

SERVER = """
import socket, sys
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from app.api import server
from app.monitor.logging_utils import configure_logging
configure_logging()
server.SECONDS_TO_SEND = server.SECONDS_TO_READ = 1.0
server.READ_BYTES_PER_SECOND = 10_000_000
app = FastAPI()

@app.post("/length")
async def length(request: Request):
    return {"length": len(await request.body())}

@app.get("/endless")
def endless():
    def blocks():
        while True:
            yield b"x" * 65536
    return StreamingResponse(blocks())

with socket.socket(fileno=int(sys.argv[1])) as listening:
    server.serve(app, listening)
print("ended in order")
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the server listens, with a second of patience."""
    listening = listen("127.0.0.1", 0, "API_PORT")
    number = listening.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(listening.fileno())],
        pass_fds=(listening.fileno(),),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        listening.close()
        yield number
        server.terminate()
        output, _ = server.communicate(timeout=60)
    assert output.splitlines()[-1] == "ended in order"
    assert "Traceback" not in output
    assert server.returncode == 0


def converse(port: int, sent: bytes, drop: bytes = b"") -> bytes:
    """Send something, then a drop of it every tenth of a second; all that comes back until the server hangs up."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(sent)
        connection.settimeout(0.1)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                found = connection.recv(65536)
                if not found:
                    return answer
                answer += found
            except TimeoutError:
                if drop:
                    connection.sendall(drop)
            except ConnectionError:
                return answer
    pytest.fail("the server did not hang up")


HEAD = b"POST /length HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    ("sent", "drop"),
    [(b"", b""), (HEAD, b""), (HEAD, b"X: y\r\n"), (HEAD + b"Content-Length: 1000\r\n\r\n", b"x")],
    ids=["nothing", "half a head", "a head in drops", "a body in drops"],
)
def test_a_request_that_trickles_in_is_answered_with_408(port: int, sent: bytes, drop: bytes) -> None:
    head, _, body = converse(port, sent, drop).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["code"] == "request.too_slow"


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01 this is TLS\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"A: " + b"x" * 100_000 + b"\r\n\r\n"],
    ids=["no HTTP", "a head of 100 kB"],
)
def test_what_is_no_request_is_answered_with_400(port: int, sent: bytes) -> None:
    head, _, body = converse(port, sent).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["code"] == "request.malformed"


def test_a_whole_request_is_answered_however_many_pieces_it_came_in(port: int) -> None:
    pieces = HEAD + b"Connection: close\r\nContent-Length: 8\r\n\r\n"
    assert converse(port, pieces, b"abcd").endswith(b'{"length":8}')


def received_after_a_pause(port: int, pause_seconds: float, enough: int) -> int:
    """Bytes of an endless answer that still come to a client that did not read for a while; at least `enough`."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(pause_seconds)
        received = 0
        while received < enough:
            try:
                found = len(connection.recv(1 << 20))
            except ConnectionError:
                break
            if not found:
                break
            received += found
        return received


def test_a_client_that_does_not_read_is_cut_off(port: int) -> None:
    more_than_buffers_hold = 100_000_000
    assert any(received_after_a_pause(port, s, more_than_buffers_hold) < more_than_buffers_hold for s in (3, 10, 30))


def test_a_client_that_always_reads_but_hardly_anything_is_cut_off(port: int) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        deadline = time.monotonic() + 60
        with suppress(ConnectionError):
            while connection.recv(65_536):
                assert time.monotonic() < deadline, "it could go on for ever"
                time.sleep(0.05)


def test_a_port_that_is_taken_is_named_with_who_has_it_and_where_to_change_it() -> None:
    with listen("127.0.0.1", 0, "API_PORT") as first:
        port = first.getsockname()[1]
        with pytest.raises(Conflict) as caught:
            listen("127.0.0.1", port, "API_PORT")
        with pytest.raises(Conflict, match=f"port {port} is taken"):
            check_free(port, "REDIS_PORT")
    assert f"port {port} is taken by " in caught.value.message
    assert "API_PORT in .env" in caught.value.hint


@pytest.mark.parametrize("host", ["192.0.2.1", "no such name"])
def test_an_address_that_is_not_this_machines_is_named(host: str) -> None:
    with pytest.raises(Conflict, match=host) as caught:
        listen(host, 0, "API_PORT")
    assert "API_HOST" in caught.value.hint

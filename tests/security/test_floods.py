"""Requests that are too much: refused with 4xx in bounded memory, and no answer lacks what every answer must have."""

import asyncio
import socket
from contextlib import suppress

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from uvicorn.server import ServerState

from app.api import server
from app.api.server import PatientProtocol
from app.main import create_app
from app.services.platform import open_platform
from app.settings import get_settings
from tests.api.conftest import ADDRESS, CHEAP, RecordingQueue
from tests.security.answers import Answer, Line, check_answer
from tests.security.conftest import SECONDS, Api

MIB = 2**20
PEAK_BYTES = 150 * MIB
"""What the API process may have, whatever it is sent."""
DEPTH = 25_000


def exchange(api: Api, *pieces: bytes) -> Answer:
    """Send bytes as they are; what comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=SECONDS) as connection:
        answer = b""
        with suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
        with suppress(ConnectionError):
            while piece := connection.recv(65536):
                answer += piece
    return parsed(answer)


def parsed(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(first.split()[1]), headers, body)


def head(method: str, target: str, *headers: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


FLOODS = {
    "10,000 headers": head("GET", "/health", *(f"X-{number}: y" for number in range(10_000))),
    "10,000 times one header": head("GET", "/health", *["X: y"] * 10_000),
    "a header of a megabyte": head("GET", "/health", "X: " + "y" * MIB),
    "a header's name of a megabyte": head("GET", "/health", "X" * MIB + ": y"),
    "an address of a megabyte": head("GET", "/health?" + "x" * MIB),
    "a header that never ends": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * MIB,
    "cookies of a megabyte": head("GET", "/health", *["Cookie: a=" + "b" * 4000] * 250),
    "a token of a megabyte": head("GET", "/me", "Authorization: Bearer " + "y" * MIB),
}


@pytest.mark.parametrize("what", FLOODS)
def test_a_head_that_is_too_long_is_refused_in_bounded_memory(api: Api, what: str) -> None:
    answer = exchange(api, FLOODS[what])
    assert answer.status in (400, 431), answer
    answer.check()
    assert api.peak_bytes() < PEAK_BYTES


def test_headers_that_come_all_at_once_are_counted_too(api: Api) -> None:
    answer = exchange(api, head("GET", "/health", *["X: " + "y" * 1000] * 40))
    assert answer.status in (400, 431), answer
    assert exchange(api, head("GET", "/health", *["X: " + "y" * 1000] * 20)).status == 200


CHUNK = b"10000\r\n" + b" " * 65536 + b"\r\n"
BODIES: dict[str, tuple[bytes, set[int]]] = {
    "10 MB of JSON": (b'{"a": "' + b"x" * 10_000_000 + b'"}', {413}),
    "deep lists": (b"[" * DEPTH + b"]" * DEPTH, {400, 422}),
    "deep objects": (b'{"data":' * DEPTH + b"1" + b"}" * DEPTH, {400, 422}),
    "lists that never end": (b"[" * 250_000, {400, 422}),
    "a number of 250,000 digits": (b'{"training": {"seed": ' + b"9" * 250_000 + b"}}", {400, 422}),
    "a number without an end": (b'{"training": {"learning_rate": 1e999999}}', {400, 422}),
    "20,000 unknown keys": (b"{" + b",".join(b'"k%d":1' % number for number in range(20_000)) + b"}", {400, 422}),
    "one key 50,000 times": (b"{" + b",".join([b'"":1'] * 50_000) + b"}", {400, 422}),
    "an unknown key of 250 kB": (b'{"' + b"k" * 250_000 + b'": 1}', {400, 422}),
}


@pytest.mark.parametrize("what", BODIES)
@pytest.mark.parametrize("path", ["/train", "/login"])
def test_a_body_that_is_too_much_is_refused_in_bounded_memory(api: Api, path: str, what: str) -> None:
    body, statuses = BODIES[what]
    with Line(api.port) as line:
        sent = {"Authorization": f"Bearer {api.tokens['ada']}", "Content_Type": "application/json"}
        answer = line.ask("POST", path, body, **sent)
    assert answer.status in statuses, answer.body[:300]
    answer.check(sent=body[:100].decode())
    assert len(answer.body) < 20_000, "an answer is no longer than somebody reads"
    assert api.peak_bytes() < PEAK_BYTES


def test_a_body_that_grows_without_an_announced_length_is_refused(api: Api) -> None:
    token = f"Authorization: Bearer {api.tokens['ada']}"
    start = head("POST", "/train", token, "Content-Type: application/json", "Transfer-Encoding: chunked")
    answer = exchange(api, start, CHUNK * 160)
    assert answer.status == 413
    answer.check()
    assert api.peak_bytes() < PEAK_BYTES


SMUGGLED = {
    "two lengths": ("Content-Length: 5", "Content-Length: 6"),
    "a length that is none": ("Content-Length: +5",),
    "a length below zero": ("Content-Length: -1",),
    "a length of 5,000 digits": ("Content-Length: " + "9" * 5000,),
    "an unknown encoding": ("Transfer-Encoding: gzip, chunked",),
    "a folded header": ("X: a", " b: c", "\tContent-Length 5"),
    "a space before the colon": ("Content-Length : 5",),
    "a NUL in a header": ("X: a\0b",),
}


@pytest.mark.parametrize("what", SMUGGLED)
def test_a_request_that_two_servers_could_read_differently_is_refused(api: Api, what: str) -> None:
    answer = exchange(api, head("POST", "/login", *SMUGGLED[what]) + b"hello")
    assert answer.status in (400, 413, 422, 501), answer
    answer.check()


# ---- what every answer has ----


@pytest.fixture
def app() -> FastAPI:
    """An installation of its own, with one route that fails in a way nobody has thought of."""
    app = create_app(open_platform(get_settings(), RecordingQueue(), passwords=CHEAP))

    @app.get("/crash")
    def crash() -> None:
        raise RuntimeError("the password of the database is swordfish")

    return app


def test_a_crash_tells_nothing_and_has_an_id_and_careful_headers(app: FastAPI) -> None:
    answer = TestClient(app, base_url=ADDRESS, raise_server_exceptions=False).get("/crash")
    assert (answer.status_code, answer.json()["code"]) == (500, "server.failed")
    assert "swordfish" not in answer.text
    check_answer(answer.status_code, answer.headers, answer.text)


def test_every_page_has_a_policy_that_lets_nothing_be_loaded_from_elsewhere(app: FastAPI) -> None:
    client = TestClient(app, base_url=ADDRESS)
    for path in ("/docs", "/docsx", "/docs/x", "/redoc", "/health", "/openapi.json", "/nothing"):
        answer = client.get(path)
        check_answer(answer.status_code, answer.headers, answer.text)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "http" not in policy
        assert "unsafe" not in policy


def test_a_connection_too_many_is_answered_like_any(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 1)

    async def ask(port: int) -> Answer:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head("GET", "/health"))
        answer = parsed(await reader.read())
        writer.close()
        return answer

    async def three() -> tuple[Answer, Answer, Answer]:
        config = uvicorn.Config(app, http=PatientProtocol, log_config=None)
        config.load()
        state = ServerState()
        listening = await asyncio.get_running_loop().create_server(
            lambda: PatientProtocol(config, state, {}), "127.0.0.1", 0
        )
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            first = await ask(port)
            _, waiting = await asyncio.open_connection("127.0.0.1", port)
            while not state.connections:
                await asyncio.sleep(0)
            refused = await ask(port)
            waiting.close()
            while state.connections:
                await asyncio.sleep(0)
            return first, refused, await ask(port)

    first, refused, again = asyncio.run(three())
    assert (first.status, refused.status, again.status) == (200, 503, 200)
    refused.check()
    assert refused.headers["retry-after"]

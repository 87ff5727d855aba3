"""How requests travel: what is sent again and what is not, whom a token is shown to, what every no becomes."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.api import errors as api_errors
from app.api.middleware import RequestIds
from app.client.connection import Asked, Connection, new_key
from app.client.credentials import Tokens
from app.client.endpoint import fill
from app.client.retrying import Retrying
from app.client.sign_in import WithApiKey, WithTokens
from app.domain import errors
from app.domain.errors import PlatformError
from tests.api_server import served
from tests.client.conftest import Script, Seen, answer

OK = answer("200 OK", '{"a": 1}', Content_Type="application/json")
BUSY = answer("503 Service Unavailable", Retry_After="2")
GET = Asked("GET", "/things", authenticated=False)
POST = Asked("POST", "/things", authenticated=False)
Scripted = Callable[..., Script]


@pytest.fixture
def waited() -> list[float]:
    """The pauses that were made."""
    return []


@pytest.fixture
def connect(waited: list[float]) -> Iterator[Callable[..., Connection]]:
    """`connect(address, sign_in)` gives a connection that writes its pauses down instead of waiting."""
    opened: list[Connection] = []

    def make(address: str, sign_in: Any = None) -> Connection:
        opened.append(Connection(address, sign_in, retrying=Retrying(draw=lambda: 1.0), sleep=waited.append))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.mark.parametrize("first", [None, answer("502 Bad Gateway"), answer("503 Service Unavailable"), BUSY])
def test_what_can_be_repeated_is_sent_again(
    scripted: Scripted, connect: Any, waited: list[float], first: bytes | None
) -> None:
    script = scripted(first, OK)
    assert connect(script.address).call(GET, dict) == {"a": 1}
    assert len(script.seen) == 2
    assert waited == [2.0 if first == BUSY else 0.25]


def test_it_is_given_up_after_four_attempts_that_wait_longer_each_time(
    scripted: Scripted, connect: Any, waited: list[float]
) -> None:
    script = scripted(None)
    with pytest.raises(errors.ServiceUnavailable) as caught:
        connect(script.address).call(GET, dict)
    assert script.address in caught.value.message
    assert (len(script.seen), waited) == (4, [0.25, 0.5, 1.0])


def test_an_answer_that_is_cut_off_is_asked_for_again(scripted: Scripted, connect: Any) -> None:
    script = scripted(OK[:-3], OK)
    assert connect(script.address).call(GET, dict) == {"a": 1}


@pytest.mark.parametrize("first", [None, answer("502 Bad Gateway"), answer("503 Service Unavailable")])
def test_what_would_happen_twice_is_sent_once(scripted: Scripted, connect: Any, first: bytes | None) -> None:
    script = scripted(first, OK)
    with pytest.raises(errors.ServiceUnavailable):
        connect(script.address).call(POST, dict)
    assert len(script.seen) == 1


def test_a_server_that_says_when_to_come_back_did_nothing_yet(scripted: Scripted, connect: Any) -> None:
    assert connect(scripted(BUSY, OK).address).call(POST, dict) == {"a": 1}


def test_a_key_makes_a_creation_repeatable_and_stays_the_same(scripted: Scripted, connect: Any) -> None:
    script = scripted(None, answer("409 Conflict", _problem(409, "idempotency.in_progress"), **PROBLEM), OK)
    assert connect(script.address).call(Asked("POST", "/things", key=new_key(), authenticated=False), dict) == {"a": 1}
    keys = {seen.headers["idempotency-key"] for seen in script.seen}
    assert (len(script.seen), len(keys)) == (3, 1)


def test_a_server_that_asks_for_more_than_patience_is_not_waited_for(
    scripted: Scripted, connect: Any, waited: list[float]
) -> None:
    body = _problem(429, "quota.exceeded")
    script = scripted(answer("429 Too Many Requests", body, Retry_After="3600", **PROBLEM))
    with pytest.raises(errors.QuotaExceeded) as caught:
        connect(script.address).call(GET, dict)
    assert (caught.value.retry_after_seconds, len(script.seen), waited) == (3600.0, 1, [])


def test_nothing_that_listens_is_named_with_its_address(connect: Any, scripted: Scripted) -> None:
    with pytest.raises(errors.ServiceUnavailable, match=r"http://127\.0\.0\.1:1 cannot be reached: ") as caught:
        connect("http://127.0.0.1:1").call(GET, dict)
    assert "finetune start" in caught.value.hint


def test_a_server_that_never_answers_does_not_hold_us(connect: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        asked = Asked("POST", "/", authenticated=False, timeout=httpx.Timeout(0.2))
        with pytest.raises(errors.ServiceUnavailable, match="does not answer in time"):
            connect(f"http://127.0.0.1:{deaf.getsockname()[1]}").call(asked, dict)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_token_is_not_carried_to_where_a_redirect_points(scripted: Scripted, connect: Any, status: str) -> None:
    other = scripted(OK)
    script = scripted(answer(status, Location=f"{other.address}/things"))
    with pytest.raises(errors.InvalidInput, match="sends us on") as caught:
        connect(script.address, WithApiKey(SecretStr("ft_a_b"))).call(Asked("GET", "/things"), dict)
    assert other.address in caught.value.message
    assert (len(script.seen), other.seen) == (1, [])


def test_an_answer_of_something_else_says_so(scripted: Scripted, connect: Any) -> None:
    connection = connect(scripted(answer("200 OK", "<html>")).address)
    with pytest.raises(PlatformError, match="answered what is not expected") as caught:
        connection.call(GET, dict)
    assert "same version" in caught.value.hint


def test_a_problem_that_is_none_is_told_by_its_status(scripted: Scripted, connect: Any) -> None:
    with pytest.raises(errors.NotFound, match=r"GET http://127\.0\.0\.1:[0-9]+/things: 404"):
        connect(scripted(answer("404 Not Found", "<html>")).address).call(GET, dict)


def test_what_was_answered_before_is_not_sent_twice(scripted: Scripted, connect: Any) -> None:
    script = scripted(answer("200 OK", '{"a": 1}', ETag='"x"'), answer("304 Not Modified", ETag='"x"'))
    connection = connect(script.address)
    assert [connection.call(GET, dict), connection.call(GET, dict)] == [{"a": 1}, {"a": 1}]
    assert [seen.headers.get("if-none-match") for seen in script.seen] == [None, '"x"']


# ---- renewal of a sign-in ----


def test_threads_that_find_a_token_expired_renew_it_once(scripted: Scripted, connect: Any) -> None:
    calls, all_refused = [], threading.Barrier(8)

    def renew(refresh_token: str) -> Tokens:
        calls.append(refresh_token)
        return Tokens.lasting("new", "refresh-2", 900)

    refused = answer("401 Unauthorized", _problem(401, "auth.required"), **PROBLEM)

    def judge(seen: Seen) -> bytes:
        if seen.headers["authorization"] == "Bearer new":
            return OK
        all_refused.wait(30)
        return refused

    script = scripted(judge)
    connection = connect(script.address, WithTokens(Tokens.lasting("old", "refresh-1", 900)))
    connection.renew = renew

    def ask(_number: int) -> Any:
        return connection.call(Asked("GET", "/things"), dict)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [{"a": 1}] * 8
    assert calls == ["refresh-1"]
    assert sorted(seen.headers["authorization"] for seen in script.seen) == ["Bearer new"] * 8 + ["Bearer old"] * 8


def test_a_token_about_to_expire_is_renewed_before_it_is_sent(scripted: Scripted, connect: Any) -> None:
    script = scripted(OK)
    connection = connect(script.address, WithTokens(Tokens.lasting("old", "refresh-1", 5)))
    connection.renew = lambda _token: Tokens.lasting("new", "refresh-2", 900)
    connection.call(Asked("POST", "/things"), dict)
    assert [seen.headers["authorization"] for seen in script.seen] == ["Bearer new"]


def test_a_token_that_is_refused_again_is_not_renewed_for_ever(scripted: Scripted, connect: Any) -> None:
    script = scripted(answer("401 Unauthorized", _problem(401, "auth.required"), **PROBLEM))
    connection = connect(script.address, WithTokens(Tokens.lasting("old", "refresh-1", 900)))
    connection.renew = lambda _token: Tokens.lasting("new", "refresh-2", 900)
    with pytest.raises(errors.Unauthenticated) as caught:
        connection.call(Asked("GET", "/things"), dict)
    assert caught.value.hint == f"sign in: finetune login --server {script.address}"
    assert len(script.seen) == 2


# ---- errors ----

PROBLEM = {"Content_Type": "application/problem+json"}


def _problem(status: int, code: str) -> str:
    return f'{{"title": "No", "status": {status}, "code": "{code}", "detail": "it is so", "request_id": "r1"}}'


def _raisable() -> dict[str, PlatformError]:
    """One of every error the domain has, as a server could raise it."""
    special = {
        errors.AmbiguousColumns: lambda: errors.AmbiguousColumns("which", role="text", choices=["a"], hint="name it"),
        errors.TooManyRequests: lambda: errors.TooManyRequests("slower", retry_after_seconds=60, hint="wait"),
        errors.QuotaExceeded: lambda: errors.QuotaExceeded("full", retry_after_seconds=60, hint="wait"),
        errors.Hidden: lambda: errors.Hidden("there is none", resource="task:x", hint="look"),
    }
    return {
        kind.__name__: special.get(kind, lambda k=kind: k("it is so", hint="do that"))() for kind in api_errors.STATUS
    }


async def _not_recorded(*_arguments: Any) -> None:
    """No audit log: these errors are raised on purpose."""


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    """A server that raises the error a request names, with the API's own translation of errors."""
    app, known = FastAPI(), _raisable()
    api_errors.install(app, _not_recorded)
    app.add_middleware(RequestIds)

    @app.get("/raise/{name}")
    def refuse(name: str) -> None:
        raise known[name]

    with served(app) as address:
        yield address


@pytest.mark.parametrize("name", sorted(_raisable()))
def test_an_error_of_the_server_is_the_same_error_here(refusing: str, connect: Any, name: str) -> None:
    there = _raisable()[name]
    with pytest.raises(PlatformError) as caught:
        connect(refusing).call(Asked("GET", f"/raise/{name}", authenticated=False), dict)
    here = caught.value
    is_the_server_s_own_fault = isinstance(there, (errors.StorageError, errors.AuditUnavailable))
    assert here.code == there.code
    assert ((here.message, here.hint) == (there.message, there.hint)) is not is_the_server_s_own_fault
    assert type(here) is (errors.NotFound if name == "Hidden" else type(there))
    for attribute in ("role", "choices", "retry_after_seconds"):
        assert getattr(here, attribute, None) == getattr(there, attribute, None)
    assert len(here.request_id) == 32


# ---- paths ----


@pytest.mark.parametrize("name", ["a/b", "../users", "a?b#c", "50%", "列一", "a b", "%2e%2e"])
def test_a_name_stays_in_its_place_of_the_path(scripted: Scripted, connect: Any, name: str) -> None:
    script = scripted(OK)
    connect(script.address).call(Asked("GET", fill("/things/{name}/parts", {"name": name}), authenticated=False), dict)
    path = script.seen[0].path
    assert path.startswith("/things/")
    assert path.endswith("/parts")
    assert unquote(path.removeprefix("/things/").removesuffix("/parts")) == name
    assert path.count("/") == 3


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_leave_its_place_is_refused(name: str) -> None:
    with pytest.raises(errors.InvalidInput):
        fill("/things/{name}", {"name": name})


def test_a_path_may_have_segments_but_not_go_up() -> None:
    assert fill("/artifacts/{path}", {"path": "a b/c.json"}) == "/artifacts/a%20b/c.json"
    with pytest.raises(errors.InvalidInput):
        fill("/artifacts/{path}", {"path": "a/../../b"})

"""Where a request comes from: a proxy is believed only where it is trusted, and only what it wrote itself."""

from collections.abc import Sequence

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr

from app.domain.addresses import origin
from app.domain.errors import ConfigError
from app.services.platform import Platform
from app.settings import get_settings

PROXY, OUTER, PERSON, LIAR = "10.0.0.1", "10.0.0.2", "198.51.100.4", "203.0.113.9"
SECRET = "a secret that API and web interface share"
TRUSTED = ("10.0.0.0/24", "fd00::1")


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        (PERSON, [], PERSON),
        (PERSON, [LIAR], PERSON),
        (PROXY, [], PROXY),
        (PROXY, [PERSON], PERSON),
        (PROXY, [f"{LIAR}, {PERSON}"], PERSON),
        (PROXY, [LIAR, PERSON], PERSON),
        (PROXY, [f"{LIAR}, {PERSON}, {OUTER}"], PERSON),
        (PROXY, [f"{PERSON}, {OUTER}"], PERSON),
        (PROXY, [f"{OUTER}, {OUTER}"], OUTER),
        (PROXY, ["unknown"], PROXY),
        (PROXY, [f"{PERSON}, unknown"], PROXY),
        (PROXY, [""], PROXY),
        (PROXY, [",,,"], PROXY),
        (PROXY, ["127.0.0.1"], "127.0.0.1"),
        (f"::ffff:{PROXY}", [PERSON], PERSON),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        ("fd00::2", [PERSON], "fd00::2"),
        (PROXY, [f"{PERSON}:5678"], PERSON),
        (PROXY, [f"{LIAR}, {PERSON}:5678, {OUTER}:80"], PERSON),
        (PROXY, ["[2001:db8::7]:443"], "2001:db8::7"),
        (PROXY, ["[2001:db8::7]"], "2001:db8::7"),
        (PROXY, ["[unknown]:443"], PROXY),
        (PROXY, [f"{PERSON}:port"], PROXY),
        (None, [PERSON], None),
        ("testclient", [PERSON], "testclient"),
        (PROXY, [", ".join([PERSON] * 10_000)], PERSON),
    ],
    ids=lambda value: str(value)[:60],
)
def test_the_address_is_the_last_one_that_no_trusted_proxy_has(
    peer: str | None, forwarded: Sequence[str], expected: str | None
) -> None:
    assert origin(peer, forwarded, TRUSTED) == expected


def test_without_a_trusted_proxy_nobody_is_believed() -> None:
    assert origin(PROXY, [PERSON], ()) == PROXY


def _fail_behind(api: FastAPI, forwarded: str, times: int) -> list[int]:
    client = TestClient(api, base_url="http://localhost", client=(PROXY, 1))
    sent = {"json": {"username": "ada", "password": "wrong"}, "headers": {"X-Forwarded-For": forwarded}}
    return [client.post("/login", **sent).status_code for _ in range(times)]


def test_people_behind_a_trusted_proxy_have_limits_of_their_own(
    api: FastAPI, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(platform.settings), "trusted_proxies", (PROXY,))
    assert _fail_behind(api, LIAR, 11) == [401] * 10 + [429]
    assert _fail_behind(api, f"{LIAR}, {PERSON}", 1) == [401]


def test_a_header_anybody_can_send_buys_no_more_tries(api: FastAPI) -> None:
    statuses = [_fail_behind(api, f"192.0.2.{number}", 1)[0] for number in range(11)]
    assert statuses == [401] * 10 + [429]


@pytest.mark.parametrize(("sent", "believed"), [(SECRET, True), (SECRET[:-1], False), ("", False), ("é", False)])
def test_a_proxy_without_a_known_address_is_believed_by_its_secret(
    api: FastAPI, platform: Platform, monkeypatch: pytest.MonkeyPatch, sent: str, believed: bool
) -> None:
    monkeypatch.setitem(vars(platform.settings), "proxy_secret", SecretStr(SECRET))
    client = TestClient(api, base_url="http://localhost", client=(PROXY, 1))
    body = {"username": "ada", "password": "wrong"}
    statuses = []
    for number in range(11):
        headers = {"X-Forwarded-For": f"192.0.2.{number}", "X-Proxy-Secret": sent.encode()}
        statuses.append(client.post("/login", json=body, headers=headers).status_code)
    assert statuses == [401] * 10 + [401 if believed else 429]


def test_an_empty_secret_makes_nobody_a_proxy(api: FastAPI) -> None:
    client = TestClient(api, base_url="http://localhost", client=(PROXY, 1))
    body, sent = {"username": "ada", "password": "wrong"}, {"X-Proxy-Secret": ""}
    statuses = [
        client.post("/login", json=body, headers=sent | {"X-Forwarded-For": f"192.0.2.{number}"}).status_code
        for number in range(11)
    ]
    assert statuses == [401] * 10 + [429]


def test_a_proxy_that_is_no_address_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.1, proxy.example")
    with pytest.raises(ConfigError, match=r"TRUSTED_PROXIES=.* is not allowed; expected addresses and networks"):
        get_settings()
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.1, 2001:db8::/32")
    get_settings.cache_clear()
    assert get_settings().trusted_proxies == ("10.0.0.1", "2001:db8::/32")

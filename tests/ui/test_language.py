"""In which language a page is: what it says of itself, and the way to the same page in another one."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, unquote

import pytest
import streamlit
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient
from streamlit.web.server.starlette.starlette_gzip_middleware import SelectiveGZipMiddleware
from streamlit.web.server.starlette.starlette_static_routes import create_streamlit_static_assets_routes

from app.ui import context
from app.ui.app import in_front
from app.ui.sessions import Sessions
from app.ui.sign_in import SignInPages
from tests.api_server import PASSWORD, ApiServer

HOST = "testserver"
ADDRESS = f"http://{HOST}"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[TestClient]:
    """At the pages that nobody has to sign in for."""
    with closing(Sessions(tmp_path / "ui", "http://127.0.0.1:9")) as sessions:
        app = Starlette(routes=SignInPages(sessions, secure=False).routes())
        with TestClient(app, base_url=ADDRESS, follow_redirects=False) as client:
            yield client


def test_pages_ask_for_a_language_as_the_sign_in_does(monkeypatch: pytest.MonkeyPatch) -> None:
    about: dict[str, Any] = {"cookies": {}, "locale": "fr", "timezone": None}
    for headers, language in (({"Accept-Language": "fr, zh-TW;q=0.9, en;q=0.8"}, "zh_TW"), ({}, "en")):
        monkeypatch.setattr(streamlit, "context", SimpleNamespace(headers=headers, **about))
        assert context.words().language == language


@pytest.mark.parametrize(
    ("here", "back"),
    [
        ("/setup", "/setup"),
        ("/sign-in?next=/tasks%3Ftask%3D1", "/sign-in?next=%2Ftasks%3Ftask%3D1"),
        ("/sign-in?again=1", "/sign-in?again=1"),
        ("/sign-in?next=//evil.example", "/sign-in"),
    ],
)
def test_another_language_shows_the_same_page_again(browser: TestClient, here: str, back: str) -> None:
    link = re.search(r'href="(/language/zh_TW[^"]*)"', browser.get(here).text)
    assert link is not None
    assert browser.get(link[1].replace("&amp;", "&")).headers["location"] == back


@pytest.mark.parametrize(
    ("target", "goes_to"),
    [
        ("/data?dataset=a b&page=2", "/data?dataset=a b&page=2"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/sign-out", "/"),
        ("/language/en?next=//evil.example", "/"),
        ("/\tdata", "/"),
    ],
)
def test_a_language_leads_nowhere_else(browser: TestClient, target: str, goes_to: str) -> None:
    answer = browser.get(f"/language/xx?next={quote(target)}")
    assert unquote(answer.headers["location"]) == goes_to


@pytest.mark.parametrize(("asked", "tag"), [("zh-TW,zh;q=0.9,en;q=0.8", "zh-TW"), ("fr", "en")])
def test_the_page_says_which_language_it_is_in(api_server: ApiServer, tmp_path: Path, asked: str, tag: str) -> None:
    api_server.account("user")
    settings = api_server.platform.settings.model_copy(
        update={"results_dir": tmp_path, "allowed_hosts": (HOST,), "trusted_proxies": ()}
    )
    with closing(Sessions(tmp_path / "ui", api_server.address)) as sessions:
        app = Starlette(
            routes=[*SignInPages(sessions, secure=False).routes(), *create_streamlit_static_assets_routes(None)],
            middleware=[*in_front(settings, sessions), Middleware(SelectiveGZipMiddleware)],
        )
        browser = TestClient(app, base_url=ADDRESS, headers={"Accept": "text/html", "Accept-Language": asked})
        answer = browser.post("/sign-in", data={"username": "user", "password": PASSWORD})
        assert answer.status_code == 200
        _check_pages(browser, tag)


def _check_pages(browser: TestClient, tag: str) -> None:
    for path in ("/", "/tasks?task=1"):
        answer = browser.get(path, headers={"If-None-Match": "*", "Range": "bytes=0-9"})
        assert answer.status_code == 200
        assert f'<html lang="{tag}"' in answer.text
        assert answer.text.rstrip().endswith("</html>")
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert "Cookie" in answer.headers["vary"]
        assert "etag" not in answer.headers
    assert browser.get("/static/js/nothing.js", headers={"Accept": "*/*"}).text.count(f'lang="{tag}"') == (tag == "en")

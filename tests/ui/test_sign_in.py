"""Nobody sees a page without a sign-in, and the cookie of a sign-in is safe from scripts and other sites."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.client import Client
from app.domain.errors import Unauthenticated
from app.ui.gate import COOKIE, Gate
from app.ui.sessions import Sessions
from app.ui.sign_in import SignInPages
from tests.api_server import PASSWORD, ApiServer

HOST = "testserver"
ADDRESS = f"http://{HOST}"
PAGE = {"Accept": "text/html"}


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"page {request.url.path}")


async def socket(connection: WebSocket) -> None:
    await connection.accept()
    await connection.send_text("open")
    await connection.close()


@pytest.fixture
def sessions(api_server: ApiServer, tmp_path: Path) -> Iterator[Sessions]:
    with closing(Sessions(tmp_path / "ui", api_server.address)) as sessions:
        yield sessions


def interface(sessions: Sessions, *, secure: bool = False) -> Starlette:
    """The gate and the sign-in, before pages that stand for Streamlit's."""
    routes = [
        *SignInPages(sessions, secure=secure).routes(),
        WebSocketRoute("/_stcore/stream", socket),
        Route("/{path:path}", page, methods=["GET", "POST", "PUT"]),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Gate, sessions=sessions, allowed_hosts=[HOST])])


@pytest.fixture
def browser(sessions: Sessions) -> Iterator[TestClient]:
    with TestClient(interface(sessions), base_url=ADDRESS, follow_redirects=False) as client:
        yield client


def sign_in(browser: TestClient, username: str, password: str = PASSWORD, **more: str) -> int:
    answer = browser.post("/sign-in", data={"username": username, "password": password, **more})
    return answer.status_code


def test_a_page_leads_to_the_sign_in_and_back_to_where_one_wanted_to_go(
    api_server: ApiServer, browser: TestClient
) -> None:
    api_server.account("user")
    asked = browser.get("/tasks?task=1", headers=PAGE)
    assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in?next=/tasks%3Ftask%3D1")
    form = browser.get(asked.headers["location"])
    assert 'name="next" value="/tasks?task=1"' in form.text
    answer = browser.post("/sign-in", data={"username": "user", "password": PASSWORD, "next": "/tasks?task=1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/tasks?task=1")
    assert browser.get("/tasks", headers=PAGE).text == "page /tasks"


@pytest.mark.parametrize("elsewhere", ["//evil.example", "/\\evil.example", "https://evil.example", "", "/sign-out"])
def test_a_sign_in_leads_nowhere_else(api_server: ApiServer, browser: TestClient, elsewhere: str) -> None:
    api_server.account("user")
    answer = browser.post("/sign-in", data={"username": "user", "password": PASSWORD, "next": elsewhere})
    assert answer.headers["location"] == "/"


def test_without_a_sign_in_there_is_no_page_no_socket_and_no_upload(browser: TestClient) -> None:
    assert browser.get("/_stcore/host-config").status_code == 401
    assert browser.put("/_stcore/upload_file/a/b").status_code == 401
    with pytest.raises(WebSocketDisconnect), browser.websocket_connect("/_stcore/stream"):
        pass
    assert browser.get("/static/js/index.js").text == "page /static/js/index.js"


def test_a_forged_cookie_is_nobodys(browser: TestClient) -> None:
    browser.cookies.set(COOKIE, "0" * 43)
    assert browser.get("/", headers=PAGE).status_code == 303
    browser.cookies.set(COOKIE, "../../../etc/passwd")
    assert browser.get("/", headers=PAGE).status_code == 303


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(api_server: ApiServer, sessions: Sessions) -> None:
    api_server.account("user")
    with TestClient(interface(sessions, secure=True), base_url=ADDRESS, follow_redirects=False) as browser:
        answer = browser.post("/sign-in", data={"username": "user", "password": PASSWORD})
    parts = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")}
    assert {"httponly", "samesite=lax", "secure", "path=/"} <= parts
    assert "eyJ" not in answer.headers["set-cookie"]


def test_a_wrong_password_is_said_without_saying_which_part_is_wrong(
    api_server: ApiServer, browser: TestClient
) -> None:
    api_server.account("user")
    for username, password in (("user", "not this one"), ("nobody", PASSWORD)):
        answer = browser.post("/sign-in", data={"username": username, "password": password})
        assert answer.status_code == 401
        assert "The name or the password is wrong." in answer.text
        assert password not in answer.text
    assert sign_in(browser, "", "") == 422
    again = browser.post("/sign-in", data={"username": "user", "password": "no", "next": "/tasks?task=1"})
    assert 'name="next" value="/tasks?task=1"' in again.text
    assert COOKIE not in browser.cookies


def test_what_somebody_typed_is_shown_as_text(browser: TestClient) -> None:
    answer = browser.post("/sign-in", data={"username": '"><script>alert(1)</script>', "password": "x"})
    assert "<script>" not in answer.text
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/setup", "/tasks"])
def test_another_site_cannot_make_a_browser_act(api_server: ApiServer, browser: TestClient, path: str) -> None:
    api_server.account("user")
    assert sign_in(browser, "user") == 303
    answer = browser.post(path, data={"username": "user"}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    with (
        pytest.raises(WebSocketDisconnect),
        browser.websocket_connect("/_stcore/stream", headers={"Origin": "https://evil.example"}),
    ):
        pass
    with browser.websocket_connect("/_stcore/stream", headers={"Origin": ADDRESS}) as own:
        assert own.receive_text() == "open"


def test_a_name_that_is_not_served_is_refused(browser: TestClient) -> None:
    assert browser.get("/sign-in", headers={"Host": "rebound.example"}).status_code == 403
    assert browser.get("/sign-in", headers={"Host": f"{HOST}:8501"}).status_code == 200


def test_signing_out_ends_the_sign_in_on_the_server(
    api_server: ApiServer, browser: TestClient, sessions: Sessions
) -> None:
    api_server.account("user")
    sign_in(browser, "user")
    known = sessions.find(browser.cookies[COOKIE])
    assert known is not None
    assert browser.get("/sign-out").text.count("<form") == 1, "another site's link only asks"
    assert known.client.me.show().username == "user"
    asked = known.client.connection.sign_in
    answer = browser.get("/sign-out", headers={"Sec-Fetch-Site": "same-origin"})
    assert "You are signed out." in answer.text
    assert COOKIE not in browser.cookies
    assert browser.get("/", headers=PAGE).status_code == 303
    with Client(api_server.address, asked) as late, pytest.raises(Unauthenticated):
        late.me.show()


def test_a_restart_signs_nobody_out_and_the_files_are_their_owners(
    api_server: ApiServer, browser: TestClient, sessions: Sessions, tmp_path: Path
) -> None:
    api_server.account("user")
    sign_in(browser, "user")
    [kept] = (tmp_path / "ui").glob("*.json")
    assert kept.stat().st_mode & 0o077 == 0
    assert browser.cookies[COOKIE] not in kept.name + kept.read_text()
    with closing(Sessions(tmp_path / "ui", api_server.address)) as restarted:
        again = restarted.find(browser.cookies[COOKIE])
        assert again is not None
        assert again.client.me.show().username == "user"
    kept.write_text(json.dumps({"half": "written"}))
    with closing(Sessions(tmp_path / "ui", api_server.address)) as restarted:
        assert restarted.find(browser.cookies[COOKIE]) is None


def test_signing_in_again_goes_on_where_one_was_and_as_somebody_else_does_not(
    api_server: ApiServer, browser: TestClient, sessions: Sessions
) -> None:
    api_server.account("user")
    api_server.account("user", "other")
    sign_in(browser, "user")
    first = browser.cookies[COOKIE]
    assert browser.get("/sign-in?again=1").status_code == 200
    sign_in(browser, "user")
    assert browser.cookies[COOKIE] == first, "pages that are open with this cookie go on"
    sign_in(browser, "other")
    assert browser.cookies[COOKIE] != first
    assert sessions.find(first) is None


def test_the_first_administrator_is_made_with_the_code_of_the_first_start(
    api_server: ApiServer, browser: TestClient
) -> None:
    from app.services import first_administrator

    code = first_administrator.offer_code(api_server.platform)
    assert code is not None
    wrong = browser.post("/setup", data={"code": "wrong", "username": "ada", "password": PASSWORD})
    assert wrong.status_code in (401, 422)
    made = browser.post("/setup", data={"code": code, "username": "ada", "password": PASSWORD})
    assert "The account is there. Sign in with it." in made.text
    assert sign_in(browser, "ada") == 303


def test_the_language_is_the_browsers_or_the_chosen_one(browser: TestClient) -> None:
    assert ">登入<" in browser.get("/sign-in", headers={"Accept-Language": "zh-TW,zh;q=0.9,en;q=0.8"}).text
    assert ">Sign in<" in browser.get("/sign-in", headers={"Accept-Language": "fr"}).text
    assert browser.get("/language/zh_TW?next=/sign-in").headers["location"] == "/sign-in"
    assert ">登入<" in browser.get("/sign-in", headers={"Accept-Language": "fr"}).text


def test_the_platform_that_does_not_answer_is_said_so(tmp_path: Path) -> None:
    nowhere = Sessions(tmp_path / "ui", "http://127.0.0.1:9")
    with TestClient(interface(nowhere), base_url=ADDRESS, follow_redirects=False) as browser:
        answer = browser.post("/sign-in", data={"username": "user", "password": PASSWORD})
    assert answer.status_code == 503
    assert "The platform does not answer. Try again in a moment." in answer.text


def test_the_audit_log_names_the_address_of_the_person_and_not_that_of_the_interface(
    api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "a secret that two programs of one installation share"
    monkeypatch.setitem(vars(api_server.platform.settings), "proxy_secret", SecretStr(secret))
    api_server.account("admin")
    with closing(Sessions(tmp_path / "ui", api_server.address, secret)) as sessions:
        app = interface(sessions)
        with TestClient(app, base_url=ADDRESS, follow_redirects=False, client=("198.51.100.4", 5)) as browser:
            assert sign_in(browser, "admin") == 303
            assert browser.get("/", headers=PAGE).status_code == 200
            signed_in = sessions.find(browser.cookies[COOKIE])
        assert signed_in is not None
        signed_in.client.audit.page(limit=1)
        entries = signed_in.client.audit.page(limit=5).items
    assert {entry.action: entry.ip for entry in entries if entry.actor == "admin"} == {
        "session.login": "198.51.100.4",
        "audit.read": "198.51.100.4",
    }

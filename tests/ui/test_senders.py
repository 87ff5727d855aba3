"""Files are taken of those alone who can do something with them, and two at once of a sign-in."""

from collections.abc import Callable

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app.client.me import MyAccount
from app.schemas.users import Me
from app.settings import get_settings
from app.ui import context
from app.ui.app import in_front
from app.ui.gate import COOKIE, Gate
from app.ui.senders import MAX_AT_ONCE, Senders
from app.ui.uploads import Uploads
from tests.api_server import ApiServer

PLACE = "/_stcore/upload_file/session/7"


async def take(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())} bytes")


def test_who_may_send_a_file_and_how_many_at_once(
    api_server: ApiServer, browser: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[MyAccount] = []
    show = MyAccount.show

    def noted(me: MyAccount) -> Me:
        asked.append(me)
        return show(me)

    monkeypatch.setattr(MyAccount, "show", noted)

    def cookies() -> dict[str, str]:
        return {COOKIE: context.session_id() or ""}

    browser(api_server.account("viewer"))
    [sessions] = context._installed
    order: list[object] = [one.cls for one in in_front(get_settings(), sessions)]
    assert order.index(Gate) < order.index(Senders) < order.index(Uploads)
    senders = Senders(Starlette(routes=[Route(PLACE, take, methods=["PUT"])]), sessions)
    with TestClient(senders, cookies=cookies()) as viewer:
        refused = viewer.put(PLACE, content=b"text")
        assert (refused.status_code, refused.text.split(";")[0]) == (403, "this account may not send files")
        assert viewer.put(PLACE, content=b"text", headers={"Accept-Language": "zh-TW"}).text[:4] == "這個帳號"
    assert len(asked) == 1
    browser(api_server.account("user"))
    with TestClient(senders, cookies=cookies()) as user:
        assert user.put(PLACE, content=b"text").text == "4 bytes"
        assert not senders._under_way
        senders._under_way[context.session_id() or ""] = MAX_AT_ONCE
        assert user.put(PLACE, content=b"text").status_code == 429
    sessions.end(context.session_id())
    with TestClient(senders, cookies={COOKIE: "0" * 43}) as nobody:
        assert nobody.put(PLACE, content=b"text").status_code == 401

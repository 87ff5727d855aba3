"""Pages as somebody who is signed in sees them: drawn without a browser, on a real API with a real database."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.api_server import PASSWORD, ApiServer

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

Visit = Callable[..., "AppTest"]
SECONDS = 180


def _one_page(path: str) -> None:
    """What the script of the interface does for one page, without the way to the others."""
    from app.ui import context
    from app.ui.components.states import guarded
    from app.ui.navigation import SECTIONS

    places = {place.path: place for section in SECTIONS.values() for place in section}
    with guarded():
        places[path].draw(context.visitor())


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """AppTest takes the place of the main module, and a process that is spawned later would run the page."""
    own = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = own


@pytest.fixture
def browser(api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """`browser(username)` is somebody's browser from now on; the account exists and is signed in."""
    from app.client.auth import lasting
    from app.client.client import Client
    from app.ui import context
    from app.ui.sessions import Sessions

    sessions = Sessions(tmp_path / "ui", api_server.address)
    context.install(sessions)

    def become(username: str) -> None:
        with Client(api_server.address) as client:
            tokens = lasting(client.auth.login(username, PASSWORD))
        session_id = sessions.begin(username, tokens, None)
        monkeypatch.setattr(context, "session_id", lambda: session_id)

    yield become
    sessions.close()


@pytest.fixture
def visit(api_server: ApiServer, browser: Callable[[str], None]) -> Visit:
    """`visit(path, role="user", **query)` opens a page as an account of that role: an AppTest that has run."""
    from streamlit.testing.v1 import AppTest

    known: set[str] = set()

    def visit(path: str, role: str = "user", **query: str) -> AppTest:
        if role not in known:
            known.add(api_server.account(role))
        browser(role)
        page = AppTest.from_function(_one_page, args=(path,), default_timeout=SECONDS)
        for name, value in query.items():
            page.query_params[name] = value
        return page.run()

    return visit

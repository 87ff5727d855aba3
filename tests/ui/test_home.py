"""The first page one sees: three steps for newcomers; then what runs, what has ended, what needs somebody."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from app.ui.app import SCRIPT
from app.ui.components import first_steps
from tests.api_runs import Runs
from tests.api_server import ApiServer
from tests.ui.conftest import Visit


@pytest.fixture
def runs(api_server: ApiServer) -> Runs:
    return Runs(api_server.platform)


def words(page: AppTest) -> str:
    assert not page.exception
    kinds = ("title", "subheader", "markdown", "caption")
    return "\n".join(str(element.value) for kind in kinds for element in page.get(kind)).replace("\\", "")


def test_newcomers_are_shown_three_steps(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    page = visit("home")
    shown = words(page)
    assert all(step in shown for step in ("1. Bring your texts", "2. Train", "3. See how good it is"))
    went: list[str] = []
    monkeypatch.setattr(first_steps, "go", went.append)
    page.button(key="home_example").click().run()
    draft = page.session_state["data_draft"]
    assert draft.paths["train"].name == "reviews_train.csv"
    assert draft.paths["train"].read_bytes() == first_steps.EXAMPLE.read_bytes()
    assert went == ["data"]
    monkeypatch.setattr(first_steps, "EXAMPLE", first_steps.EXAMPLE.with_name("none.csv"))
    assert not visit("home").button


def test_another_language_leads_back_to_the_page_one_is_on(
    api_server: ApiServer, browser: Callable[[str], None]
) -> None:
    browser(api_server.account())
    page = AppTest.from_file(SCRIPT, default_timeout=180)
    page.query_params["q"] = 'a b&"<c>'
    links = "".join(str(one.value) for one in page.run().sidebar.get("html"))
    assert 'href="/language/zh_TW?next=/%3Fq%3Da%2Bb%2526%2522%253Cc%253E"' in links


def test_whoever_may_not_train_is_not_asked_to(visit: Visit) -> None:
    assert "Bring your texts" not in words(visit("home", "viewer"))


def test_what_runs_ended_and_failed_is_there_at_a_glance(visit: Visit, runs: Runs) -> None:
    visit("home")
    runs.add("done-001", accuracy=0.875)
    runs.add("busy-001", state="STARTED")
    runs.add("lost-001", state="FAILURE")
    runs.add("theirs-001", owner=None, state="STARTED")
    page = visit("home")
    shown = words(page)
    assert "Bring your texts" not in shown
    assert "87.5%" in shown
    assert [one.label for one in page.get("page_link")] == ["busy\\-001", "lost\\-001", "done\\-001"]

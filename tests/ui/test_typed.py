"""What somebody typed is there again after a sign-in that ended in the middle of it; passwords alone are not."""

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.ui import context
from tests.api_data import Store
from tests.api_runs import Runs
from tests.api_server import PASSWORD, ApiServer
from tests.ui.conftest import Visit

Opens = Callable[[Visit, ApiServer], AppTest]


def users(visit: Visit, _server: ApiServer) -> AppTest:
    page = visit("administration", "admin")
    page.session_state["account_admin"] = True
    return page.run()


def audit(visit: Visit, _server: ApiServer) -> AppTest:
    page = visit("administration", "admin")
    page.session_state["administration"] = "Audit log"
    return page.run()


def account(visit: Visit, _server: ApiServer) -> AppTest:
    return visit("account")


def run(visit: Visit, server: ApiServer) -> AppTest:
    visit("home", "admin")
    Runs(server.platform).add("mine", owner="admin")
    page = visit("experiments", "admin", run="mine")
    page.session_state["experiment_mine"] = "Sharing and deleting"
    page.session_state["experiment_delete_mine"] = True
    return page.run()


def data_set(visit: Visit, server: ApiServer) -> AppTest:
    visit("home")
    Store(server.platform).put("reviews", "user")
    page = visit("data", dataset="reviews", part="sharing")
    page.session_state["data_delete"] = "reviews"
    return page.run()


@pytest.mark.parametrize(
    ("opened", "forms"),
    [
        (
            users,
            {
                "Add it": {"Name": "grace"},
                "Save": {"Trainings at once": 3, "Room for data (GB)": 2.5},
                "": {"Only disabled ones": True},
            },
        ),
        (audit, {"": {"Who": "ada", "Action": "user.*", "On what": "user:*", "How it ended": "denied"}}),
        (
            account,
            {
                "Make the key": {"What is it for?": "nightly", "Valid for": 30},
                "Change it": {"End my API keys too": True},
            },
        ),
        (
            run,
            {
                "Share": {"Share with": "grace"},
                "Change the owner": {"Owner": "bob"},
                "Delete for good": {"Type the name of the run to confirm": "min"},
            },
        ),
        (data_set, {"Share": {"Share with": "grace"}, "Delete for good": {"Type reviews to confirm": "review"}}),
    ],
)
def test_what_was_typed_outlives_a_sign_in_that_ended(
    visit: Visit, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch, opened: Opens, forms: dict[str, Any]
) -> None:
    page = opened(visit, api_server)
    parts = [name for name in ("administration", "experiment_mine", "account_admin") if name in page.session_state]
    state = {name: page.session_state[name] for name in parts}
    for submit, typed in forms.items():
        for label, value in typed.items():
            field(page, label).set_value(value)
        for one in page.text_input:
            if one.proto.type == one.proto.PASSWORD:
                one.set_value(PASSWORD)
        if submit:
            next(one for one in page.button if one.label == submit).click()
        with monkeypatch.context() as ended:
            ended.setattr(context, "session_id", lambda: None)
            page.run()
            assert "Your sign-in has ended. What you typed is still here." in page.warning[0].value
            assert "Passwords are not kept" in page.caption[0].value
        for name, value in state.items():
            page.session_state[name] = value
        page.run()
        assert not page.exception
        assert {label: field(page, label).value for label in typed} == typed
        assert not [one for one in page.text_input if one.value == PASSWORD]


def _two_parts() -> None:
    from app.domain.errors import Unauthenticated
    from app.ui.components.states import guarded

    for _part in range(2):
        with guarded():
            raise Unauthenticated("you are signed out")


def test_a_page_of_several_parts_says_once_that_the_sign_in_has_ended() -> None:
    page = AppTest.from_function(_two_parts).run()
    assert not page.exception
    assert (len(page.warning), len(page.button)) == (1, 1)
    page.button[0].click().run()
    assert not page.exception


def field(page: AppTest, label: str) -> Any:
    kinds = (page.text_input, page.number_input, page.selectbox, page.checkbox, page.toggle)
    return next(one for kind in kinds for one in kind if one.label.replace("\\", "") == label)

"""The installation's own pages, monitor and administration, and one's own account."""

import pytest
from streamlit.testing.v1 import AppTest

from app.client.client import Client
from app.db.repositories import workers
from app.domain.errors import Unauthenticated
from app.domain.task import TaskKind
from app.services import monitoring
from app.ui import context
from app.ui.components.audit_trail import VERIFIED
from app.ui.words import Words
from tests.api_runs import Runs
from tests.api_server import PASSWORD, ApiServer
from tests.ui.conftest import Visit

OTHER_PASSWORD = "seven lanterns on the quay"
HOSTILE = "<script>alert(1)</script> **bold**"


def words(page: AppTest) -> str:
    assert not page.exception
    kinds = (page.title, page.subheader, page.markdown, page.caption, page.info, page.warning, page.error, page.success)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def fill(page: AppTest, label: str, value: str) -> None:
    next(one for one in page.text_input if one.label == label).set_value(value)


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


def open_audit(visit: Visit) -> AppTest:
    page = visit("administration", "admin")
    page.session_state["administration"] = "Audit log"
    return page.run()


def test_an_idle_installation_says_that_nothing_runs(visit: Visit) -> None:
    page = visit("monitor", "admin")
    said = words(page)
    assert "Nothing runs at the moment" in said
    assert "No worker is there" in said
    assert "Nothing waits" in said


def test_the_monitor_shows_workers_the_queue_and_what_runs(
    visit: Visit, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = visit("monitor", "admin")
    runs = Runs(api_server.platform)
    runs.add("waiting-001", state="PENDING")
    runs.add_points(runs.add("running-001", state="STARTED"), "step", range(1, 3), tokens_per_second=640.0)
    with api_server.platform.installation.database.write() as session:
        workers.heard(session, "one", [TaskKind.TRAIN], ["cpu"])
    said = words(page.run())
    assert "640 tokens a second" in said
    assert {one.label: one.value for one in page.metric}["Running"] == "1"
    assert "The newest" not in said
    runs.add_points(runs.add("running-002", state="STARTED"), "step", range(1, 3), tokens_per_second=100.0)
    monkeypatch.setattr(monitoring, "MAX_RUNNING", 1)
    assert "The newest 1 of 2" in words(page.run())
    assert {one.label: one.value for one in page.metric}["Tokens a second"] == "740"
    assert [list(table.value.iloc[0])[1] for table in page.dataframe] == ["Waiting", "Training"]


def test_a_queue_that_is_down_is_named_and_the_rest_shown(
    visit: Visit, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit("monitor", "admin")
    api_server.queue.is_down = True
    api_server.app.state.readiness._asked_at = -1e9
    page = visit("monitor", "admin")
    assert "red-badge" in words(page)
    assert "Nothing runs at the moment" in words(page)
    monkeypatch.setattr(context, "words", lambda: Words("zh_TW"))
    assert page.run().error[0].value == "佇列無法運作（service.unavailable）"


def test_whoever_is_no_administrator_is_told_so(visit: Visit) -> None:
    assert "may not do this" in words(visit("monitor"))
    assert "may not do this" in words(visit("administration"))


def test_an_administrator_makes_changes_and_shuts_out_accounts(visit: Visit, api_server: ApiServer) -> None:
    page = visit("administration", "admin")
    fill(page, "Name", "Not A Name")
    fill(page, "Password", PASSWORD)
    assert "/username" in words(press(page, "Add it"))
    fill(page, "Name", "grace")
    fill(page, "Password", PASSWORD)
    assert "grace can sign in now" in words(press(page, "Add it"))
    page.session_state["account_grace"] = True
    page.run()
    page.number_input[0].set_value(3)
    press(page, "Save")
    with Client(api_server.address) as client:
        client.sign_in("grace", PASSWORD)
        assert client.me.show().limits.max_running == 3
    press(page, "Disable it")
    assert "Disabled" in words(page)
    with Client(api_server.address) as client, pytest.raises(Unauthenticated):
        client.sign_in("grace", PASSWORD)


def test_the_audit_log_is_filtered_and_verified(
    visit: Visit, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_audit(visit)
    assert "session.login" in set(page.dataframe[0].value["Action"])
    page.text_input(key="audit_action").set_value("user.*").run()
    assert set(page.dataframe[0].value["Action"]) == {"user.create"}
    page.text_input(key="audit_actor").set_value(HOSTILE).run()
    assert "No event is like that" in words(page)
    press(page, "Check the whole log")
    assert "The log is whole" in words(page)
    with api_server.platform.audit.checkpoints.path.open("a") as file:
        file.write("forged\n")
    press(page, "Check the whole log")
    assert "damaged, or not signed here" in words(page)
    found = page.session_state[VERIFIED]
    monkeypatch.setattr(context, "words", lambda: Words("zh_TW"))
    page = visit("administration", "admin")
    page.session_state["administration"], page.session_state[VERIFIED] = Words("zh_TW")("Audit log"), found
    assert "已損壞，或不是由這裡簽署" in words(page.run())


def test_one_changes_ones_password(visit: Visit, api_server: ApiServer) -> None:
    page = visit("account")
    for label, value in (("Current password", PASSWORD), ("New password", OTHER_PASSWORD)):
        fill(page, label, value)
    fill(page, "New password once more", "something else")
    assert "The new passwords differ" in words(press(page, "Change it"))
    fill(page, "New password once more", OTHER_PASSWORD)
    assert "The password is changed" in words(press(page, "Change it"))
    with Client(api_server.address) as client:
        client.sign_in("user", OTHER_PASSWORD)


def test_a_key_is_shown_once_and_can_be_revoked(visit: Visit) -> None:
    page = visit("account", "viewer")
    assert "You have no API keys" in words(page)
    fill(page, "What is it for?", HOSTILE)
    press(page, "Make the key")
    assert "shown this once" in words(page)
    key = page.code[0].value
    press(page, "I have copied it")
    assert key not in [one.value for one in page.code]
    assert HOSTILE not in words(page)
    press(page, "Revoke it")
    assert "You have no API keys" in words(page)


def test_other_sign_ins_are_ended(visit: Visit, api_server: ApiServer) -> None:
    page = visit("account")
    with Client(api_server.address) as client:
        client.sign_in("user", PASSWORD)
        page.run()
        press(page, "End it")
        with pytest.raises(Unauthenticated):
            client.me.show()

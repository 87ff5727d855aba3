"""Tasks: what runs and ran, one of them live, stopped, gone on with; and whoever has no business there."""

from typing import TYPE_CHECKING, Any

import pytest
from streamlit.testing.v1 import AppTest

from app.schemas.tasks import MetricPoint
from app.ui.components.task_list import PAGE_SIZE
from app.ui.components.watched import newest_attempt
from tests.api_runs import Runs
from tests.api_server import PASSWORD, ApiServer
from tests.ui.conftest import Visit

if TYPE_CHECKING:
    from app.client.client import Client

HOSTILE = "<script>alert(1)</script> **bold** $x$"


@pytest.fixture
def runs(api_server: ApiServer) -> Runs:
    return Runs(api_server.platform)


def said(page: AppTest) -> str:
    assert not page.exception
    kinds = (page.title, page.markdown, page.caption, page.error, page.warning, page.success, page.info)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def button(page: AppTest, label: str) -> Any:
    return next(one for one in page.button if one.label.replace("\\", "") == label)


def state_of(api_server: ApiServer, task_id: str) -> tuple[str, bool]:
    from app.db.tables import TaskRow

    with api_server.platform.installation.database.read() as session:
        row = session.get(TaskRow, task_id)
        assert row is not None
        return row.state, row.cancel_requested_at is not None


def watching(visit: Visit, api_server: ApiServer, task_id: str) -> AppTest:
    """The part of the page that looks again and again, alone."""
    visit("home")

    def look(task_id: str) -> None:
        import streamlit as st

        from app.ui import context
        from app.ui.components import task_detail

        if "visitor" not in st.session_state:
            st.session_state["visitor"] = context.visitor()
        task_detail._watch(st.session_state["visitor"], task_id, is_live=True)

    return AppTest.from_function(look, args=(task_id,), default_timeout=60).run()


def test_nothing_has_run_yet(visit: Visit) -> None:
    assert "Nothing has run yet" in said(visit("tasks"))


def test_the_list_says_how_each_stands_and_pages_at_the_server(visit: Visit, runs: Runs) -> None:
    for number in range(PAGE_SIZE + 1):
        runs.add(f"run-{number:02d}", state="SUCCESS" if number else "FAILURE")
    page = visit("tasks")
    assert f"1 to {PAGE_SIZE} of {PAGE_SIZE + 1}" in said(page)
    assert not [one for one in page.button if "run-00" in one.label.replace("\\", "")]
    button(page, "Older").click().run()
    assert f"{PAGE_SIZE + 1} to {PAGE_SIZE + 1} of" in said(page)
    button(page, "run-00").click().run()
    assert page.query_params["task"]
    assert "run-00" in page.title[0].value.replace("\\", "")


def test_a_filter_of_states_is_the_servers(visit: Visit, runs: Runs) -> None:
    runs.add("good", state="SUCCESS")
    runs.add("bad", state="FAILURE")
    page = visit("tasks")
    page.button_group[0].set_value(["FAILURE"]).run()
    names = {one.label for one in page.button}
    assert "bad" in names
    assert "good" not in names
    page.button_group[0].set_value(["REVOKED"]).run()
    assert "No task is like that" in said(page)


def test_a_running_training_is_shown_live(visit: Visit, runs: Runs) -> None:
    run = runs.add("live", state="STARTED")
    runs.add_points(run, "step", range(1, 6), learning_rate=0.001, tokens_per_second=900.0, total_steps=10)
    runs.add_points(run, "eval", range(5, 6), accuracy=0.8, macro_f1=0.7)
    runs.add_points(run, "system", range(1, 3), cpu_percent=150.0, memory_bytes=2e9)
    (run.directory.path / "logs.txt").write_text(f"epoch 1\n{HOSTILE}\n")
    page = visit("tasks", task=run.task_id)
    shown = {metric.label: metric.value for metric in page.metric}
    assert shown["Step"] == "5 / 10"
    assert shown["Tokens a second"] == "900"
    assert shown["CPU"] == "150%"
    assert shown["Memory"] == "2.0 GB"
    assert HOSTILE in page.code[0].value
    assert HOSTILE not in said(page)
    assert set(page.dataframe[0].value["name"]) == {
        "training rows",
        "held-out rows",
        "Accuracy",
        "Macro F1",
        "Learning rate",
        "Tokens a second",
    }
    assert len(page.get("vega_lite_chart")) + len(page.get("arrow_vega_lite_chart")) == 6


def test_a_finished_training_leads_to_its_experiment(visit: Visit, runs: Runs) -> None:
    page = visit("tasks", task=runs.add("good").task_id)
    assert "trained, saved and proven" in said(page)
    assert [one for one in page.get("page_link") if "See how good it is" in one.proto.label]
    assert not [one for one in page.button if one.label == "Stop it now"]


def test_a_failure_is_told_in_plain_words_and_tried_again_once(visit: Visit, runs: Runs, api_server: ApiServer) -> None:
    run = runs.add("bad", state="PENDING")
    fail(api_server, run.task_id, "run.out_of_memory", f"{HOSTILE} (hint: lower the batch size)\nits log ends:\nKilled")
    page = visit("tasks", task=run.task_id)
    assert "ran out of memory" in page.error[0].value
    assert "lower the batch size" in said(page)
    assert page.code[0].value == f"run.out_of_memory: {HOSTILE}\nKilled"
    again = button(page, "Go on from the last checkpoint")
    again.click().run()
    assert not page.exception
    assert state_of(api_server, run.task_id)[0] == "RETRY"
    assert "Waiting to go on" in said(page)


def fail(api_server: ApiServer, task_id: str, code: str, detail: str) -> None:
    from app.db.repositories import tasks
    from app.domain.task import TaskState

    with api_server.platform.installation.database.write() as session:
        tasks.claim(session, task_id, token="t", pid=1, hostname="elsewhere")
        tasks.finish(session, task_id, "t", TaskState.FAILURE, error_code=code, error_detail=detail)


def test_stopping_takes_two_steps_and_says_what_is_kept(visit: Visit, runs: Runs, api_server: ApiServer) -> None:
    run = runs.add("long", state="STARTED")
    page = visit("tasks", task=run.task_id)
    assert "saves where it is first" in said(page)
    assert state_of(api_server, run.task_id) == ("STARTED", False)
    button(page, "Stop it now").click().run()
    assert not page.exception
    assert state_of(api_server, run.task_id) == ("STARTED", True)


def test_a_viewer_sees_but_does_not_touch(visit: Visit, runs: Runs) -> None:
    run = runs.add("mine", owner="viewer", state="STARTED")
    page = visit("tasks", "viewer", task=run.task_id)
    assert "mine" in said(page)
    assert not [one for one in page.button if one.label in ("Stop it now", "Go on from the last checkpoint")]


@pytest.mark.parametrize("task_id", ["theirs", "0b6cf0ee-7a3e-4f4e-9f5f-0f8d4c1f3a11", "../me", HOSTILE])
def test_a_task_that_is_not_ones_own_is_not_there(visit: Visit, runs: Runs, task_id: str) -> None:
    other = runs.add("secret", owner="somebody", state="STARTED")
    page = visit("tasks", task=other.task_id if task_id == "theirs" else task_id)
    assert "secret" not in said(page)
    assert page.info
    assert not page.code


def test_an_api_that_is_away_for_a_while_leaves_what_was_known_and_is_awaited(
    visit: Visit, runs: Runs, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.client.tasks import Tasks
    from app.domain.errors import ServiceUnavailable

    run = runs.add("live", state="STARTED")
    runs.add_points(run, "step", range(1, 4), total_steps=10)
    page = watching(visit, api_server, run.task_id)
    assert page.metric[0].value == "3 / 10"

    def away(*_given: Any) -> None:
        raise ServiceUnavailable("nobody answers")

    with monkeypatch.context() as gone:
        gone.setattr(Tasks, "show", away)
        page.run()
        assert "does not answer" in page.warning[0].value
        assert page.metric[0].value == "3 / 10"
    runs.add_points(run, "step", range(4, 6), total_steps=10)
    page.run()
    assert not page.warning
    assert page.metric[0].value == "5 / 10"


def test_a_page_that_watches_goes_on_with_a_new_sign_in_and_says_where_it_has_ended(
    visit: Visit, runs: Runs, api_server: ApiServer
) -> None:
    from app.client.client import Client
    from app.client.sign_in import WithTokens
    from app.domain.errors import Unauthenticated
    from app.ui import context
    from app.ui.sessions import SECONDS_OPEN

    run = runs.add("live", state="STARTED")
    page = watching(visit, api_server, run.task_id)
    [sessions], before = context._installed, context.session_id()
    known = sessions.find(before)
    assert known is not None
    client, first = known.client, known.client.connection.sign_in.tokens
    assert sessions.begin("user", new_tokens(api_server, "user"), before) == before
    page.run()
    assert not page.exception
    assert not page.warning
    with Client(api_server.address, WithTokens(first)) as late, pytest.raises(Unauthenticated):
        late.me.show()
    second = client.connection.sign_in.tokens
    client.connection.sign_in.used -= SECONDS_OPEN
    sessions._forget_old()
    assert not sessions._open
    page.run()
    assert not page.warning, "a client that was let go is opened again"
    api_server.account("user", "other")
    assert sessions.begin("other", new_tokens(api_server, "other"), before) != before
    page.run()
    assert "Your sign-in has ended" in page.warning[0].value
    assert not page.exception
    button(page, "I have signed in").click().run()
    assert "Your sign-in has ended" in page.warning[0].value
    with Client(api_server.address, WithTokens(second)) as late, pytest.raises(Unauthenticated):
        late.me.show()
    with pytest.raises(Unauthenticated):
        client.me.show()  # by whoever holds it still


def new_tokens(api_server: ApiServer, username: str) -> Any:
    from app.client.auth import lasting
    from app.client.client import Client

    with Client(api_server.address) as client:
        return lasting(client.auth.login(username, PASSWORD))


def test_each_look_asks_for_the_news_alone(runs: Runs, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.client.tasks import Tasks
    from app.ui.components import watched

    run = runs.add("long", state="STARTED")
    runs.add_points(run, "step", range(1, 30))
    monkeypatch.setattr(watched, "MAX_POINTS", 20)
    asked: list[int] = []
    metrics = Tasks.metrics

    def noted(tasks: Tasks, *given: Any, **named: Any) -> Any:
        asked.append(named.get("since", 0))
        return metrics(tasks, *given, **named)

    monkeypatch.setattr(Tasks, "metrics", noted)
    with api_server.signed_in() as client:
        known = look_twice(client, run.task_id)
        assert [point.step for point in known.of_kind("step")][-1] == 29
        assert len(known.points) <= 20
        for more in range(30, 60, 10):
            runs.add_points(run, "step", range(more, more + 10))
            known.look(client)
    assert len(known.points) <= 40
    assert known.points[-1].step == 59
    assert asked[0] == 0
    assert asked[1] > 0


def look_twice(client: "Client", task_id: str) -> Any:
    from app.ui.components.watched import Watched

    known = Watched(task_id)
    known.look(client)
    known.look(client)
    return known


def test_a_step_shows_how_far_it_is_only_where_it_says_so() -> None:
    from app.domain.task import Stage
    from app.ui.components.stepper import _step
    from app.ui.words import Words

    training, checking = (
        _step(1, stage, 1, 0.3, Words("en"), is_broken=False) for stage in (Stage.TRAINING, Stage.VALIDATING)
    )
    assert "30%" in training
    assert "%" not in checking.replace("18%", "")
    assert "repeating-linear-gradient" in checking


def test_steps_that_were_repeated_after_a_stop_count_once() -> None:
    def point(number: int, step: int, attempt: int) -> MetricPoint:
        return MetricPoint(id=number, kind="step", step=step, attempt=attempt, time=float(number), values={})

    points = [point(1, 10, 1), point(2, 20, 1), point(3, 30, 1), point(4, 15, 2), point(5, 25, 2)]
    assert [one.step for one in newest_attempt(points)] == [10, 15, 25]

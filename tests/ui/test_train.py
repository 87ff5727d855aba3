"""Train: choose, see what it would take, start once; nothing that was typed gets lost."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from streamlit.testing.v1 import AppTest

from app.domain.train_config import TrainConfig
from app.ui import context
from app.ui.components.config_draft import ConfigDraft, as_text, from_text, read_yaml
from app.ui.components.config_form import BASIC, fields_of
from app.ui.components.config_words import FIELDS, GROUPS
from app.ui.words import Words
from tests.api_server import ApiServer
from tests.ui.conftest import Visit

if TYPE_CHECKING:
    from app.services.platform import Platform

SCHEMA = TrainConfig.model_json_schema()


@pytest.fixture
def form(visit: Visit, api_server: ApiServer, own_reviews: Callable[["Platform", str], None]) -> Callable[..., AppTest]:
    """`form(**query)` opens the page for somebody who has `reviews@1`."""

    def open_form(**query: str) -> AppTest:
        visit("home")
        own_reviews(api_server.platform, "user")
        page = visit("train", **query)
        assert not page.exception
        return page

    return open_form


def widget(page: AppTest, label: str) -> Any:
    found = [*page.text_input, *page.selectbox, *page.multiselect, *page.toggle, *page.text_area, *page.button]
    return next(one for one in found if one.label == label)


def yaml_of(page: AppTest) -> str:
    return str(page.text_area[0].value)


def said(page: AppTest) -> str:
    assert not page.exception
    kinds = (page.markdown, page.caption, page.error, page.warning, page.info)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def tasks_of(api_server: ApiServer) -> list[tuple[str, str]]:
    from sqlalchemy import select

    from app.db.tables import TaskRow

    with api_server.platform.installation.database.read() as session:
        return [(row.id, row.kind) for row in session.scalars(select(TaskRow))]


def finish_plan(api_server: ApiServer, task_id: str, result: dict[str, Any] | None) -> None:
    from app.db.repositories import tasks
    from app.db.tables import TaskRow
    from app.domain.task import TaskState

    with api_server.platform.installation.database.write() as session:
        tasks.claim(session, task_id, token="t", pid=1, hostname="elsewhere")
        if result is None:
            reason = "**no** <b>room</b> (hint: take fewer rows)"
            tasks.finish(session, task_id, "t", TaskState.FAILURE, error_code="run.failed", error_detail=reason)
        else:
            tasks.finish(session, task_id, "t", TaskState.SUCCESS)
            row = session.get(TaskRow, task_id)
            assert row is not None
            row.result = result


def test_every_setting_is_called_something_and_explained() -> None:
    names = [field.name for field in fields_of(SCHEMA, {})]
    assert sorted(names) == sorted(FIELDS)
    assert set(BASIC) <= set(names)
    assert {name.rpartition(".")[0] for name in names} == set(GROUPS)


def test_whoever_has_no_data_is_led_to_it(visit: Visit) -> None:
    page = visit("train")
    assert "You have no data set yet" in said(page)
    assert widget(page, "Start training").disabled


def test_a_viewer_may_not_train(visit: Visit) -> None:
    page = visit("train", "viewer")
    assert "may not do this" in said(page)
    assert not page.button


def test_the_only_data_set_is_chosen_and_names_the_run(form: Callable[..., AppTest]) -> None:
    page = form()
    assert yaml_of(page) == "data:\n  train: reviews@1\nexperiment_name: reviews\n"
    assert widget(page, "Data set").value == "reviews"
    assert widget(page, "Version").value == "1"
    assert "300 rows" in said(page)


def test_the_expert_sees_every_setting(form: Callable[..., AppTest]) -> None:
    page = form()
    page.segmented_control[0].set_value("expert").run()
    assert not page.exception
    shown = {one.label for kind in (page.text_input, page.selectbox, page.multiselect, page.toggle) for one in kind}
    assert {label for label, _ in FIELDS.values()} <= shown


def test_form_and_yaml_say_the_same_both_ways(form: Callable[..., AppTest]) -> None:
    page = form()
    widget(page, "Epochs").set_value("2").run()
    widget(page, "LoRA rank").set_value("16").run()
    assert "num_train_epochs: 2\n" in yaml_of(page)
    assert "  r: 16\n" in yaml_of(page)
    page.text_area[0].set_value("data: {train: reviews@1}\nlora: {r: 4}\nmodel: {name: roberta-base}").run()
    assert widget(page, "LoRA rank").value == "4"
    assert widget(page, "Epochs").value == ""
    assert widget(page, "Base model").value == "roberta-base"
    widget(page, "LoRA rank").set_value("").run()
    assert "lora" not in yaml_of(page)


def test_what_is_wrong_stands_at_its_field(form: Callable[..., AppTest]) -> None:
    page = form()
    widget(page, "Epochs").set_value("-1").run()
    widget(page, "LoRA rank").set_value("many").run()
    assert "-1 is not allowed" in said(page)
    assert "many is not allowed" in said(page)
    page.text_area[0].set_value("data: {train: reviews@9}\nlora: {rr: 4, r: [1]}\n'**x**': <b>1</b>").run()
    text = said(page)
    assert "/lora/rr unknown key; did you mean lora.r?" in text
    assert "/**x**" in text
    assert "reviews@9" in text


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "- a\n- b",
        "a: &x 1\nb: *x",
        "a: 2020-01-01",
        "a: .nan",
        "[" * 5000,
        "a" * 200_000,
        "a: !!python/name:x",
        "\t",
    ],
)
def test_yaml_that_cannot_be_read_stays_and_changes_nothing(text: str) -> None:
    draft = ConfigDraft()
    draft.put(("lora", "r"), 4)
    draft.take_text(text)
    assert draft.fault is not None
    assert (draft.text, draft.values) == (text, {"lora": {"r": 4}})


def test_broken_yaml_says_the_line_and_leaves_the_form(
    form: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = form()
    page.text_area[0].set_value("data:\n  train: reviews@1\nlora: [\n").run()
    assert "Line 4" in page.error[0].value
    assert widget(page, "Name").value == "reviews"
    assert widget(page, "Start training").disabled
    assert yaml_of(page).endswith("lora: [\n")
    monkeypatch.setattr(context, "words", lambda: Words("zh_TW"))
    assert "第 4 行第 1 個字：YAML 剖析器的原文是" in page.run().error[0].value


@pytest.mark.parametrize(
    ("text", "kinds", "words", "value"),
    [
        ("", ["integer"], [], None),
        ("8", ["integer"], [], 8),
        ("1e-3", ["string", "number"], ["auto"], 0.001),
        ("auto", ["string", "number"], ["auto"], "auto"),
        ("nan", ["number"], [], "nan"),
        ("eight", ["integer"], [], "eight"),
        ("1", ["string"], [], "1"),
        ("query, value", ["string", "array"], ["auto"], ["query", "value"]),
        ("{a: 1, b: 2}", ["string", "object"], ["none"], {"a": 1, "b": 2}),
        ("{a: *b}", ["string", "object"], ["none"], "{a: *b}"),
        ("9" * 5000, ["integer"], [], "9" * 5000),
    ],
)
def test_a_field_means_what_its_schema_takes(text: str, kinds: list[str], words: list[str], value: Any) -> None:
    assert from_text(text, kinds, words) == value
    if not isinstance(value, str | float):
        assert from_text(as_text(value), kinds, words) == value
    assert read_yaml("a: 1") == {"a": 1}


def test_a_double_click_starts_one_run(form: Callable[..., AppTest], api_server: ApiServer) -> None:
    page = form()
    pressed = widget(page, "Start training")
    pressed.click().run()
    pressed.click().run()
    assert not page.exception
    assert [kind for _, kind in tasks_of(api_server)] == ["train"]


def test_a_wish_has_one_key_until_it_came_true_and_a_moment_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.ui.components import config_draft

    now = 100.0
    monkeypatch.setattr(config_draft.time, "monotonic", lambda: now)
    draft = ConfigDraft()
    first = draft.key_for("train")
    assert draft.key_for("train") == first
    draft.came_true("train")
    now += 1
    assert draft.key_for("train") == first
    draft.put(("lora", "r"), 4)
    other = draft.key_for("train")
    assert other != first
    draft.came_true("train")
    now += 60
    assert draft.key_for("train") not in (first, other)


def test_an_expired_sign_in_loses_nothing_that_was_typed(
    form: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.ui import context

    page = form()
    mine = context.session_id()
    widget(page, "Epochs").set_value("7").run()
    monkeypatch.setattr(context, "session_id", lambda: None)
    widget(page, "LoRA rank").set_value("12").run()
    assert "Your sign-in has ended" in said(page)
    assert not page.text_input
    monkeypatch.setattr(context, "session_id", lambda: mine)
    page.run()
    assert (widget(page, "Epochs").value, widget(page, "LoRA rank").value) == ("7", "12")
    assert "num_train_epochs: 7" in yaml_of(page)


def test_an_estimate_is_made_by_a_worker_and_says_what_it_takes(
    form: Callable[..., AppTest], api_server: ApiServer
) -> None:
    page = form()
    widget(page, "Estimate time and memory").click().run()
    [(task_id, kind)] = tasks_of(api_server)
    assert kind == "plan"
    found = {"estimated_seconds": 90, "estimated_memory_bytes": 1.2e9, "total_steps": 34, "device": "cpu"}
    choice = {"key": "model.max_length", "value": 64, "reason": "99 % of texts have up to <b>60</b> tokens"}
    finish_plan(api_server, task_id, {**found, "decisions": [choice]})
    page.run()
    assert [metric.value for metric in page.metric] == ["90 seconds", "1.2 GB", "34", "CPU"]
    assert "**Longest text** · 64" in said(page)
    assert choice["reason"] in said(page)
    widget(page, "LoRA rank").set_value("64").run()
    assert "The estimate is of the settings before" in said(page)
    widget(page, "Estimate again with these settings").click().run()
    other = next(one for one, _ in tasks_of(api_server) if one != task_id)
    finish_plan(api_server, other, {**found, "estimated_seconds": 200})
    page.run()
    assert page.metric[0].delta == "+110 seconds"


def test_an_estimate_that_fails_says_why(form: Callable[..., AppTest], api_server: ApiServer) -> None:
    page = form()
    widget(page, "Estimate time and memory").click().run()
    finish_plan(api_server, tasks_of(api_server)[0][0], None)
    page.run()
    assert "The training could not be finished" in page.error[0].value
    assert "take fewer rows" in said(page)
    assert "<b>room</b>" in page.code[0].value


def test_data_of_somebody_else_is_not_there(form: Callable[..., AppTest], api_server: ApiServer) -> None:
    from app.db.repositories import datasets

    page = form()
    with api_server.platform.installation.database.write() as session:
        datasets.claim(session, "reviews", "user").owner = None
    page.run()
    assert "not here, or not shared with you" in said(page)
    page.text_area[0].set_value("data: {train: '**x**<b>@1'}").run()
    assert "not here, or not shared with you" in said(page)


def test_the_address_chooses_data_once(form: Callable[..., AppTest]) -> None:
    page = form(data="reviews@1")
    assert yaml_of(page) == "data:\n  train: reviews@1\nexperiment_name: reviews\n"
    page.text_area[0].set_value("data: {train: others@2}").run()
    assert yaml_of(page) == "data: {train: others@2}"

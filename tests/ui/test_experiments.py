"""Experiments: to find, to look into, to compare, to share, to delete; and whoever has no business there."""

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.api_runs import MadeRun, Runs
from tests.api_server import ApiServer
from tests.ui.conftest import Visit

HOSTILE = "<script>alert(1)</script> **bold** [link](javascript:alert(2)) $x$"
MEASURED: dict[str, Any] = {
    "labels": ["bad", HOSTILE],
    "per_label": [
        {"label": "bad", "precision": 0.9, "recall": 0.8, "f1": 0.85, "support": 10, "predicted": 9},
        {"label": HOSTILE, "precision": 0.8, "recall": 0.9, "f1": 0.85, "support": 10, "predicted": 11},
    ],
    "confusion": [[0, 0, 8], [0, 1, 2], [1, 0, 1], [1, 1, 9]],
    "calibration": {
        "temperature": 1.5,
        "bins": [{"low": 0.5, "high": 1.0, "rows": 20, "confidence": 0.8, "accuracy": 0.85}],
        "bins_after_temperature": [{"low": 0.5, "high": 1.0, "rows": 20, "confidence": 0.82, "accuracy": 0.85}],
    },
    "slices": [
        {"kind": "label", "name": HOSTILE, "rows": 10, "accuracy": 0.9, "accuracy_ci95": {"low": 0.6, "high": 0.98}}
    ],
    "mistakes": [{"row": 3, "text": HOSTILE, "label": "bad", "predicted": HOSTILE, "probability": 0.99}],
}


@pytest.fixture
def runs(api_server: ApiServer) -> Runs:
    return Runs(api_server.platform)


def measured(run: MadeRun) -> None:
    """Leave beside the model what the evaluation of a run found."""
    from app.domain.manifest import Proof
    from app.runs.receipt import write_receipt

    path: Path = run.directory.path / "evaluation" / "evaluation.json"
    path.write_text(json.dumps({"eval": MEASURED}), encoding="utf-8")
    proof = Proof(passed=True, rows=8, label_agreement=1.0, max_abs_logit_diff=0.0)
    write_receipt(run.directory, data_version="a" * 64, code_revision="", proof=proof)


def words(page: AppTest) -> str:
    """What stands on a page as Markdown, in marks and in tables."""
    assert not page.exception
    kinds = (page.title, page.subheader, page.markdown, page.caption, page.info, page.warning, page.error, page.success)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def rows(page: AppTest, column: str) -> list[Any]:
    return next(list(table.value[column]) for table in page.dataframe if column in table.value)


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


def open_tab(page: AppTest, run: str, title: str) -> AppTest:
    page.session_state[f"experiment_{run}"] = title
    return page.run()


def test_without_experiments_the_page_says_how_to_get_one(visit: Visit) -> None:
    assert "There are no experiments yet" in words(visit("experiments"))
    assert "Train a model" not in words(visit("experiments", "viewer"))


def test_the_list_has_ones_own_runs_and_those_shared_with_one(visit: Visit, runs: Runs) -> None:
    visit("experiments"), visit("experiments", "admin")
    runs.add("mine-001")
    runs.add("theirs-001", "admin")
    runs.add("shared-001", "admin")
    runs.share("shared-001", "user")
    assert rows(visit("experiments"), "Name") == ["shared-001", "mine-001"]

    page = visit("experiments", "admin")
    assert rows(page, "Name") == ["shared-001", "theirs-001"]
    page.button_group(key="experiments_whose").set_value(True).run()
    assert rows(page, "Name") == ["shared-001", "theirs-001", "mine-001"]


def test_it_is_searched_filtered_and_sorted_on_the_server(visit: Visit, runs: Runs) -> None:
    page = visit("experiments")
    for name, accuracy in (("blue-001", 0.7), ("blue-002", 0.9), ("red-001", 0.8)):
        runs.add(name, accuracy=accuracy)
    page.run()
    page.text_input(key="experiments_search").set_value("blue").run()
    assert rows(page, "Name") == ["blue-002", "blue-001"]
    page.number_input(key="experiments_0_number_value").set_value(0.75).run()
    assert rows(page, "Name") == ["blue-002"]
    assert page.code[0].value == "name ~ 'blue' and (accuracy > 0.75)"
    page.text_input(key="experiments_search").set_value("").run()
    page.selectbox(key="experiments_sort").set_value("accuracy").run()
    page.toggle(key="experiments_ascending").set_value(True).run()
    assert rows(page, "Name") == ["red-001", "blue-002"]
    page.text_input(key="experiments_search").set_value('it\'s "so"').run()
    assert "No run is like that" in words(page)


def test_a_condition_by_hand_is_judged_by_the_server(visit: Visit, runs: Runs) -> None:
    page = visit("experiments")
    runs.add("mine-001")
    page.toggle(key="experiments_by_hand").set_value(True).run()
    page.text_area(key="experiments_where").set_value("acuracy > 0.5 or state = SUCCESS").run()
    assert "did you mean accuracy" in words(page)
    page.text_area(key="experiments_where").set_value("accuracy > 0.5 or state = FAILURE").run()
    assert rows(page, "Name") == ["mine-001"]


def test_long_lists_come_page_by_page(visit: Visit, runs: Runs) -> None:
    page = visit("experiments")
    for number in range(27):
        runs.add(f"run-{number:03}", state="PENDING")
    page.run()
    assert len(rows(page, "Name")) == 25
    assert list(page.dataframe[0].value["Created"].sort_values(ascending=False)) == rows(page, "Created")
    press(page, "Next")
    assert rows(page, "Name") == ["run-001", "run-000"]
    assert "Page 2, 27 in all" in words(page)
    press(page, "Back")
    assert len(rows(page, "Name")) == 25


def test_a_run_shows_whether_it_is_any_good(visit: Visit, runs: Runs) -> None:
    visit("experiments")
    measured(runs.add("mine-001"))
    page = visit("experiments", run="mine-001")
    said = words(page)
    assert page.title[0].value == "mine\\-001"
    assert {"Accuracy", "Macro F1"} <= {one.label for one in page.metric}
    assert "Which labels are taken for which" in said
    assert HOSTILE in rows(page, "Label")
    open_tab(page, "mine-001", "Mistakes")
    assert rows(page, "Text") == [HOSTILE]
    for title in ("Learning curves", "Files and proof", "How it was made", "Sharing and deleting"):
        assert HOSTILE not in words(open_tab(page, "mine-001", title))
    assert not page.error


def test_its_proof_its_files_and_its_origin_are_there(visit: Visit, runs: Runs) -> None:
    visit("experiments")
    run = runs.add("mine-001")
    runs.add_points(run, "step", range(1, 5))
    page = visit("experiments", run="mine-001")
    assert "in the report, which you can download" in words(page)
    open_tab(page, "mine-001", "Files and proof")
    assert "were loaded by a fresh process" in words(page)
    assert "evaluation/report.html" in rows(page, "File")
    open_tab(page, "mine-001", "How it was made")
    assert "reviews@1" in rows(page, "Value")
    assert "experiment_name: reviews" in page.code[0].value
    open_tab(page, "mine-001", "Learning curves")
    assert "reported nothing" not in words(page)


def test_a_run_that_failed_says_why_and_has_no_files(visit: Visit, runs: Runs) -> None:
    visit("experiments")
    runs.add("mine-001", state="FAILURE")
    page = visit("experiments", run="mine-001")
    assert "損失不是有限數" in words(page) + "".join(one.value for one in page.code)
    assert "There are no scores yet" in words(page)
    assert "has left nothing yet" in words(open_tab(page, "mine-001", "Files and proof"))


def test_nobody_sees_anothers_run_by_its_address(visit: Visit, runs: Runs) -> None:
    visit("experiments"), visit("experiments", "admin")
    runs.add("theirs-001", "admin")
    runs.add("mine-001")
    assert "not shared with you" in words(visit("experiments", run="theirs-001"))
    assert "not shared with you" in words(visit("experiments", run="../../secrets"))
    page = visit("experiments", compare="theirs-001")
    page.query_params["compare"] = ["mine-001", "theirs-001"]
    assert "not shared with you" in words(page.run())


def test_a_run_is_shared_and_taken_back(visit: Visit, runs: Runs, api_server: ApiServer) -> None:
    visit("experiments"), visit("experiments", "viewer")
    runs.add("mine-001")
    page = open_tab(visit("experiments", run="mine-001"), "mine-001", "Sharing and deleting")
    assert "Its task" in {one.label for one in page.get("page_link")}
    field = next(one for one in page.text_input if one.label == "Share with")
    field.set_value("nobody-here")
    assert "there is no account" in words(press(page, "Share"))
    next(one for one in page.text_input if one.label == "Share with").set_value("viewer")
    press(page, "Share")
    assert "viewer" in words(page)
    read = visit("experiments", "viewer", run="mine-001")
    assert not read.warning
    assert "Sharing and deleting" not in {tab.label for tab in read.tabs}
    assert "Its task" not in {one.label for one in read.get("page_link")}
    page = open_tab(visit("experiments", run="mine-001"), "mine-001", "Sharing and deleting")
    press(page, "Take back")
    assert "Nobody but you" in words(page)


def test_deleting_says_what_goes_and_asks_for_the_name(visit: Visit, runs: Runs) -> None:
    visit("experiments")
    run = runs.add("mine-001")
    page = open_tab(visit("experiments", run="mine-001"), "mine-001", "Sharing and deleting")
    press(page, "Delete this run…")
    assert "on the disk" in words(page)
    press(page, "Delete for good")
    assert "Nothing was deleted" in words(page)
    assert run.directory.path.is_dir()
    confirm = "experiment_delete_mine-001_name"
    page.text_input(key=confirm).set_value("mine-002")
    assert "Nothing was deleted" in words(press(page, "Delete for good"))
    press(press(page, "Keep it"), "Delete this run…")
    assert not page.text_input(key=confirm).value
    page.text_input(key=confirm).set_value("mine-001")
    press(page, "Delete for good")
    assert not run.directory.path.exists()
    assert "There are no experiments yet" in words(page)


def test_a_run_that_is_going_on_is_not_deleted(visit: Visit, runs: Runs) -> None:
    visit("experiments")
    runs.add("mine-001", state="STARTED")
    page = open_tab(visit("experiments", run="mine-001"), "mine-001", "Sharing and deleting")
    assert "cancel its task first" in words(press(page, "Delete this run…"))


def test_runs_are_compared_by_what_differs(visit: Visit, runs: Runs) -> None:
    page = visit("experiments")
    first = runs.add("one-001", accuracy=0.8)
    other = runs.add("two-001", config={"experiment_name": "reviews", "lora": {"r": 16}})
    for run in (first, other):
        runs.add_points(run, "eval", range(1, 4), accuracy=0.5)
    page.query_params["compare"] = ["one-001", "two-001"]
    page.run()
    assert rows(page, "Setting") == ["lora.r"]
    assert rows(page, "Run") == ["one-001", "two-001"]
    assert "80.0%" in rows(page, "Accuracy")[0]
    page.multiselect[0].set_value(["one-001"]).run()
    assert "at least two" in words(page)

"""Try it: one text, two models side by side, which words mattered, a whole file; and whoever cannot be answered."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.client import Client
from app.inference_api import create_platform_app
from app.runs.directory import RunDirectory
from app.schemas.predictions import PredictForm
from app.services.inference import InferenceService
from app.serving.answers import Ready
from app.serving.explanation import words_of
from tests.api_runs import Runs
from tests.api_server import PASSWORD, ApiServer
from tests.servers import free_port
from tests.ui.conftest import Visit

HOSTILE = "<script>alert(1)</script>"
LABEL = f"{HOSTILE} **bad**"
TEXT = f"a lovely place {HOSTILE} but cold"
FILE = b"text,stars\na lovely place,5\ncold soup,1\n"


@dataclass(frozen=True)
class Said:
    """An answer of the stand-in."""

    label: int
    label_name: str
    probability: float
    scores: dict[str, float]
    truncated: bool


@dataclass(frozen=True)
class StandIn:
    """In place of a network, whose process the interface never sees: what it says of a text is known."""

    name: str
    base_model: str = "minilm"
    language: str = "English"

    def predict(self, texts: Sequence[str]) -> list[Said]:
        return [self._said(text) for text in texts]

    def read_part(self, text: str) -> str:
        return text[:2000]

    def _said(self, text: str) -> Said:
        good = round(0.7 + 0.2 * ("lovely" in text) - 0.1 * ("cold" in text), 6)
        scores = {LABEL: round(1 - good, 6), "good": good}
        return Said(1, "good", good, scores, len(text) > 2000)


@pytest.fixture
def runs(api_server: ApiServer) -> Runs:
    return Runs(api_server.platform)


@pytest.fixture
def models(api_server: ApiServer, serve: Callable[[Any], str]) -> InferenceService:
    """The inference service of the installation, with stand-ins for its models."""

    def load(run: RunDirectory) -> Ready:
        return Ready(StandIn(run.name))  # type: ignore[arg-type]

    service = InferenceService(serve(create_platform_app(api_server.platform, load)))
    api_server.app.state.inference = service
    return service


def said(page: AppTest) -> str:
    """What stands on a page in words and marks."""
    assert not page.exception
    kinds = (page.title, page.markdown, page.caption, page.info, page.warning, page.error, page.success)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def html(page: AppTest) -> str:
    return "\n".join(element.proto.body for element in page.get("html"))


def button(page: AppTest, label: str) -> Any:
    return next(one for one in page.button if one.label.replace("\\", "") == label)


def ask(page: AppTest, text: str) -> AppTest:
    page.text_area(key="try:text").set_value(text)
    return button(page, "Ask").click().run()


def test_without_a_finished_run_it_says_what_makes_one(visit: Visit, runs: Runs) -> None:
    runs.add("running-001", state="STARTED")
    assert "There is no finished model yet" in said(visit("try"))
    assert not visit("try", role="viewer").text_area


def test_a_text_is_answered_and_the_words_that_mattered_are_marked_and_counted(
    visit: Visit, runs: Runs, models: InferenceService
) -> None:
    runs.add("reviews-001")
    page = ask(visit("try"), TEXT)
    assert "### good · 80.0%" in said(page)
    assert "base model minilm" in said(page)
    assert [list(table.value["Probability"]) for table in page.dataframe] == [[0.8, 0.2]]
    assert list(page.dataframe[0].value["Label"]) == ["good", LABEL]
    page.toggle(key="try:why:reviews-001").set_value(True).run()
    assert "Which words mattered (an estimate)" in said(page)
    marks = html(page)
    assert "<script>" not in marks
    assert "&lt;" in marks
    assert marks.count("<mark") == 2
    assert 'title="+20.0"' in marks
    assert 'title="-10.0"' in marks
    effects = page.dataframe[1].value
    assert list(effects["Word"])[:2] == ["lovely", "cold"]
    assert list(effects["Probability lost without it"])[:2] == pytest.approx([0.2, -0.1])
    assert len(effects) == len(list(words_of(TEXT)))
    assert page.text_area(key="try:text").value == TEXT
    assert page.query_params["run"] == "reviews-001"


def test_of_a_long_text_the_end_is_not_read_and_not_every_word_looked_at(
    visit: Visit, runs: Runs, models: InferenceService
) -> None:
    runs.add("reviews-001")
    page = ask(visit("try"), "lovely soup " * 300)
    page.toggle(key="try:why:reviews-001").set_value(True).run()
    assert "longer than what this model reads" in said(page)
    assert "The first 100 of the 334 words it reads were looked at." in said(page)


def test_two_runs_answer_side_by_side(visit: Visit, runs: Runs, models: InferenceService) -> None:
    for name in ("reviews-001", "reviews-002"):
        runs.add(name)
    page = ask(visit("try", run="reviews-001", **{"and": "reviews-002"}), "lovely")
    assert said(page).count("### good · 90.0%") == 2
    page.toggle(key="try:is_compared").set_value(False).run()
    assert said(page).count("### good · 90.0%") == 1
    assert "and" not in page.query_params


def test_without_a_text_it_asks_for_one(visit: Visit, runs: Runs) -> None:
    runs.add("reviews-001")
    assert "Type a text first." in said(ask(visit("try"), "  \n"))


def test_while_the_models_are_away_the_text_stays_and_is_answered_afterwards(
    visit: Visit, runs: Runs, models: InferenceService, api_server: ApiServer
) -> None:
    runs.add("reviews-001")
    page = visit("try")
    api_server.app.state.inference = InferenceService(f"http://127.0.0.1:{free_port()}")
    ask(page, "lovely")
    assert "The models do not answer at the moment" in said(page)
    assert page.text_area(key="try:text").value == "lovely"
    api_server.app.state.inference = models
    button(page, "Try again").click().run()
    assert "### good · 90.0%" in said(page)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("theirs-001", "not here, or not shared with you"),
        ("nothing-001", "not here, or not shared with you"),
        ("running-001", "This run has no model yet."),
    ],
)
def test_a_run_that_cannot_be_asked_says_so(
    visit: Visit, runs: Runs, api_server: ApiServer, name: str, told: str
) -> None:
    runs.add("theirs-001", owner=api_server.account("user", "ada"))
    runs.add("running-001", state="STARTED")
    page = visit("try", run=name)
    assert told in said(page)
    assert not page.text_area


def test_a_file_becomes_one_task_however_often_it_is_sent(
    visit: Visit, runs: Runs, api_server: ApiServer, tmp_path: Path
) -> None:
    runs.add("reviews-001")
    page = visit("try")
    page.session_state["try:part"] = "A whole file"
    page.run().file_uploader(key="try:file").upload("rows.csv", FILE)
    page.session_state["try:part"] = "A whole file"
    page = button(page.run(), "Label every row").click().run()
    assert not page.exception
    assert [kind for _, kind in api_server.queue.sent] == ["predict"]
    [key] = page.session_state["try:file_keys"].values()
    (tmp_path / "rows.csv").write_bytes(FILE)
    with Client(api_server.address) as client:
        client.sign_in("user", PASSWORD)
        again = client.predictions.submit(PredictForm(run="reviews-001"), tmp_path / "rows.csv", key=key)
    assert [task_id for task_id, _ in api_server.queue.sent] == [again.task_id]


def test_a_file_that_was_labelled_is_fetched_from_its_task(visit: Visit, runs: Runs, api_server: ApiServer) -> None:
    from app.db.repositories import tasks
    from app.domain.task import TaskKind

    task_id = str(uuid.uuid4())
    counts = {"rows": 3, "without_label": 1, "labels": {LABEL: 2}}
    result = {"run": "reviews-001", "file": "predictions.csv", "bytes": 21, "sha256": "0" * 64, **counts}
    visit("home")
    with api_server.platform.installation.database.write() as session:
        tasks.create(session, TaskKind.PREDICT, "user", task_id=task_id, state="SUCCESS", result=result, payload={})
    page = visit("tasks", task=task_id)
    assert "2 rows were labelled by reviews-001." in said(page)
    assert "1 rows have no text, and no label." in said(page)
    assert list(page.dataframe[0].value["Label"]) == [LABEL]
    assert next(one.proto.label for one in page.get("download_button")) == "Download the labelled file"

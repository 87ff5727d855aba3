"""What a run's evaluation leaves on disk, looked at as a reader or an attacker would."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from app.domain.data_report import DataIdentity, DataReport, Detected, Finding, ValidationReport
from app.domain.events import EvalLogged, Event, ParametersCounted, StepLogged, Warned
from app.domain.manifest import Proof
from app.domain.plan import BaseModelFacts, DatasetProfile, Hardware, TokenFacts, TrainingPlan, make_plan
from app.domain.train_config import TrainConfig
from app.runs.directory import RunDirectory, create_run
from app.train.evaluation import Evaluation
from app.train.evaluator import evaluate
from app.train.report import write_predictions, write_report
from app.train.reporting.pictures import choose_fonts, draw_confusion

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> {{ 7 * 7 }} &amp;"
PROOF = Proof(passed=True, rows=200, label_agreement=1.0, max_abs_logit_diff=2.5e-6)
TRAIN_SUMMARY = {"steps": 60, "runtime_seconds": 70.1, "tokens_per_second": 7039.0, "peak_memory_bytes": 900_000_000}


class Page(HTMLParser):
    """Collects the tags, attributes and text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def make_evaluation(labels: list[str], rows: int = 200, text: str = "a text", share_right: float = 0.8) -> Evaluation:
    rng = np.random.default_rng(0)
    label_ids = rng.integers(0, len(labels), rows)
    predicted = np.where(rng.random(rows) < share_right, label_ids, (label_ids + 1) % len(labels))
    logits = 3 * np.eye(len(labels))[predicted] + rng.normal(size=(rows, len(labels)))
    return evaluate(logits.astype(np.float32), label_ids, [text] * rows, labels, seed=1)


def make_plan_for(labels: list[str]) -> TrainingPlan:
    counts = [10 * (k + 1) for k in range(len(labels))]
    data = DatasetProfile(
        version="ab" * 32,
        labels=labels,
        train_label_counts=counts,
        num_train=sum(counts),
        num_eval=200,
        num_test=0,
        tokens=TokenFacts(mean=20.0, p50=18, p99=60, longest=70),
    )
    base = BaseModelFacts(name="minilm", hub_id="sentence-transformers/all-MiniLM-L6-v2", language="English",
                          architecture="BertForSequenceClassification", fingerprint="cd" * 32, max_positions=512,
                          hidden_size=384, encoder_linears=["query", "value"], head_modules=["classifier"])  # fmt: skip
    hardware = Hardware(device="cpu", device_name="a processor", num_threads=2, memory_bytes=8_000_000_000)
    return make_plan(TrainConfig(), data, base, hardware)


def make_data_report(labels: list[str], words: str = "9 texts occur twice") -> DataReport:
    counts = [10 * (k + 1) for k in range(len(labels))]
    identity = DataIdentity(name="reviews", version="ab" * 32, labels=labels, num_train=sum(counts), num_eval=200,
                            num_test=0, train_label_counts=counts)  # fmt: skip
    finding = Finding(
        code="duplicate", severity="warning", message=words, fix="remove the copies", count=9, rows=[3, 4]
    )
    source = ValidationReport(file="reviews.csv", sha256="ef" * 32, rows=300, detected=Detected(format="csv"),
                              labels=dict(zip(labels, counts, strict=True)), findings=[finding])  # fmt: skip
    return DataReport(identity=identity, reports={"train": source})


def make_events(warning: str = "2 texts were cut") -> list[Event]:
    steps = [
        StepLogged(time=1.0, step=s, total_steps=60, epoch=s / 20, loss=1 / s, learning_rate=1e-3,
                   samples_per_second=9.0, tokens_per_second=100.0 if s == 30 else 900.0, eta_seconds=0.0)
        for s in range(1, 61)
    ]  # fmt: skip
    scores = {20: (0.7, 0.5), 40: (0.9, 0.3), 60: (0.88, 0.6)}
    evaluations = [
        EvalLogged(step=s, epoch=s / 20, train_seconds=s, metrics={"accuracy": a, "macro_f1": a - 0.02, "loss": x})
        for s, (a, x) in scores.items()
    ]
    groups = [{"module": "encoder", "parameters": 1000, "trained": False}]
    counted = ParametersCounted(total=1000, trainable=10, groups=groups)
    return [counted, *steps, *evaluations, Warned(code="data.truncated", message=warning)]


def report_page(run: RunDirectory, evaluations: dict[str, Evaluation], **changes: Any) -> str:
    labels = evaluations["eval"].labels
    given = {
        "plan": make_plan_for(labels),
        "events": make_events(),
        "train_summary": TRAIN_SUMMARY,
        "data_report": make_data_report(labels),
        "proof": PROOF,
    } | changes
    write_report(run, evaluations=evaluations, **given)
    return (run.evaluation / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return create_run(tmp_path, "reviews-001")


@pytest.mark.parametrize("num_labels", [2, 6, 77])
def test_the_page_says_what_was_found(run: RunDirectory, num_labels: int) -> None:
    evaluation = make_evaluation([f"intent_{k}" for k in range(num_labels)])

    page = Page(report_page(run, {"eval": evaluation}))

    verdict = evaluation.headline.verdict.partition(",")[0]
    assert verdict[0].upper() + verdict[1:] in page.text
    for words in ("Macro F1", "best: step 40", "Over-fitting from step 40", "2 texts were cut", "9 texts occur twice",
                  "proven after reload", "minilm", "7,039 tokens a second"):  # fmt: skip
        assert words in page.text
    assert page.text.count("intent_1") > 1
    left = ["calibration.png", "confusion.png", "evaluation.json", "report.html"]
    assert sorted(path.name for path in run.evaluation.iterdir()) == left


def test_all_that_was_measured_is_there_for_programs(run: RunDirectory) -> None:
    evaluation = make_evaluation(["bad", "good"])
    report_page(run, {"eval": evaluation})
    left = json.loads((run.evaluation / "evaluation.json").read_text(encoding="utf-8"))["eval"]
    cells = {(given, predicted): rows for given, predicted, rows in left.pop("confusion")}
    for given, counts in enumerate(evaluation.confusion):
        for predicted, rows in enumerate(counts):
            assert cells.get((given, predicted), 0) == rows
    assert left == evaluation.model_dump(mode="json", exclude={"confusion"})


def test_the_page_asks_nothing_of_the_network_and_runs_nothing(run: RunDirectory) -> None:
    source = report_page(run, {"eval": make_evaluation(["no", "yes"])})
    page = Page(source)

    assert not {"script", "link", "img", "iframe", "object", "embed", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert not re.search(r"url\(|@import", source)


def test_hostile_words_stay_words_wherever_they_come_from(run: RunDirectory) -> None:
    labels = [HOSTILE, "calm"]
    evaluations = {name: make_evaluation(labels, text=HOSTILE) for name in ("eval", "test")}

    source = report_page(
        run,
        evaluations,
        events=make_events(warning=HOSTILE),
        data_report=make_data_report(labels, HOSTILE),
        proof=Proof(passed=False, rows=1, label_agreement=0.0, max_abs_logit_diff=1.0, detail=HOSTILE),
    )

    page = Page(source)
    assert not {"script", "img"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text


def test_a_text_of_a_million_characters_does_not_swell_the_page(run: RunDirectory) -> None:
    source = report_page(run, {"eval": make_evaluation(["no", "yes"], text="long " * 200_000)})

    assert len(source) < 200_000


def test_the_test_rows_lead_where_there_are_some(run: RunDirectory) -> None:
    evaluations = {"eval": make_evaluation(["no", "yes"], rows=200), "test": make_evaluation(["no", "yes"], rows=333)}

    page = Page(report_page(run, evaluations))

    assert page.text.index("on 333 rows") < page.text.index("The best checkpoint was chosen on these rows")


def test_a_run_without_events_findings_or_proof_has_a_page(run: RunDirectory) -> None:
    labels = ["only", "never"]
    evaluation = evaluate(np.array([[2.0, 1.0]], dtype=np.float32), np.array([0]), ["一句話"], labels, seed=1)
    report = make_data_report(labels).model_copy(update={"reports": {}})

    page = Page(report_page(run, {"eval": evaluation}, events=[], data_report=report, proof=None, train_summary={}))

    assert "not proven yet" in page.text
    assert "Nothing was found wrong with the data." in page.text
    assert "How it learned" not in page.text


def test_a_failed_proof_cannot_be_overlooked(run: RunDirectory) -> None:
    proof = Proof(passed=False, rows=200, label_agreement=0.5, max_abs_logit_diff=3.0)

    page = Page(report_page(run, {"eval": make_evaluation(["no", "yes"])}, proof=proof))

    assert "proof failed" in page.text
    assert "Do not use it." in page.text


def test_equal_inputs_give_equal_pages(run: RunDirectory) -> None:
    evaluations = {"eval": make_evaluation(["no", "yes"])}

    assert report_page(run, evaluations) == report_page(run, evaluations)


@pytest.mark.parametrize(
    "labels",
    [["負面", "正面"], ["ok", "\U0010fffd"], ["costs $5", "a $x_y$ formula"], [f"{k}" for k in range(150)]],
    ids=["chinese", "in no font", "dollar signs", "150 labels"],
)
def test_the_confusion_picture_is_drawn_without_a_warning(labels: list[str]) -> None:
    assert draw_confusion(make_evaluation(labels)).startswith(b"\x89PNG")


def test_letters_no_font_has_are_not_written() -> None:
    assert choose_fonts(["fine", "\U0010fffd"]) is None
    assert choose_fonts(["fine"]) is not None


def test_predictions_keep_split_row_text_and_logits(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    logits = np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 0.5]], dtype=np.float32)

    write_predictions(
        path, ["一", "two", "three"], np.array([0, 0, 1]), logits, ["no", "yes"], ["eval", "eval", "test"]
    )

    table = pq.read_table(path)
    assert table.schema.names == ["split", "row", "text", "label", "predicted", "probability", "logits"]
    assert [(r["split"], r["row"], r["text"], r["label"], r["predicted"]) for r in table.to_pylist()] == [
        ("eval", 1, "一", "no", "no"),
        ("eval", 2, "two", "no", "yes"),
        ("test", 1, "three", "yes", "no"),
    ]
    assert table["logits"].to_pylist() == logits.tolist()
    assert table["probability"][1].as_py() == pytest.approx(1 / (1 + np.exp(-3)))

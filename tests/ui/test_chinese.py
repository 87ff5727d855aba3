"""What the platform says reaches a Chinese reader in Chinese, on its way through records, HTTP and pages."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.data.findings import Rules
from app.data.readers import read
from app.data.validation import validate
from app.domain.data_report import Finding, ValidationReport
from app.domain.errors import ConfigError, PlatformError
from app.domain.plan import BaseModelFacts, DatasetProfile, Hardware, TokenFacts, TrainingPlan, make_plan
from app.domain.train_config import TrainConfig
from app.ui import context
from app.ui.words import Words
from tests.api_runs import Runs
from tests.api_server import ApiServer
from tests.ui.conftest import Visit

if TYPE_CHECKING:
    from app.services.platform import Platform

SENTENCE = re.compile(r"[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}")
"""Three English words in a row; names of settings, models and files are none."""
ZH = Words("zh_TW")
FINE = [(f"we found that the {word} here was fine, {word}", "good") for word in ("food", "room", "lift", "pool", "bar")]
BAD = [(f"nobody could ever call this {word} nice, {word}", "bad") for word in ("view", "tea", "bed", "desk", "walk")]
DEFECTS = [
    ("", "good"),
    ("nobody said what this is", ""),
    FINE[0],
    (FINE[1][0], "bad"),
    (FINE[2][0] + "!", "good"),
    ("write to jane.doe@example.org for it", "bad"),
    ("write to jane.doe@example.org for it!!", "bad"),
    ("it was cafÃ© food", "good"),
    ("so <b>good</b>, so &amp; cheap", "good"),
    ("那裡的東西很好吃", "good"),
    ("so short and so loud", "GOOD"),
    ("the only one of its kind", "odd"),
    ("on and on it went, " * 90, "bad"),
]


@pytest.fixture
def runs(api_server: ApiServer) -> Runs:
    return Runs(api_server.platform)


@pytest.fixture
def found(tmp_path: Path) -> ValidationReport:
    """What is said of a file with many defects, as a record keeps it."""
    path = tmp_path / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *FINE, *BAD, *DEFECTS])
        file.write("a,b,c\n")
    report = validate(read(str(path)), Rules(), to_split=True).report
    return ValidationReport.model_validate_json(report.model_dump_json())


def test_each_finding_is_told_in_chinese_with_its_numbers(found: ValidationReport) -> None:
    codes = {finding.code for finding in found.findings}
    assert len(codes) >= 9, codes
    for finding in found.findings:
        for place in ("message", "cost", "fix"):
            assert SENTENCE.search(ZH.told(finding.told(place))) is None, getattr(finding, place)
    (empty,) = [finding for finding in found.findings if finding.code == "empty_text"]
    assert (empty.message, ZH.told(empty.told("message"))) == ("1 row without text", "1 筆沒有文字")
    assert ZH.told(empty.examples[0], empty.said["examples.0"]) == "標籤是 'good'，沒有文字"


def test_how_a_file_was_read_is_told_in_chinese(found: ValidationReport) -> None:
    detected = found.detected
    assert detected.reasons.keys() >= {"format", "encoding", "header", "text_column", "label_column"}
    for name, reason in detected.reasons.items():
        assert SENTENCE.search(ZH.told(reason, detected.said.get(f"reasons.{name}"))) is None, reason


def test_what_is_personal_is_masked_in_what_an_example_is_made_of(found: ValidationReport) -> None:
    (alike,) = [finding for finding in found.findings if finding.code == "near_duplicate"]
    examples = [ZH.told(text, alike.said.get(f"examples.{place}")) for place, text in enumerate(alike.examples)]
    assert [one for one in examples if re.match("第 .* 筆：write to j\\*+g for it ／ 第 .* 筆：", one)], examples
    assert not [finding for finding in found.findings if "jane.doe" in finding.model_dump_json()]


def test_a_finding_of_before_is_shown_as_it_was_written() -> None:
    old = {"code": "duplicate", "severity": "warning", "message": "2 rows are twice there", "fix": "f", "count": 2}
    finding = Finding.model_validate(old)
    assert ZH.told(finding.told("message")) == "2 rows are twice there"
    assert "said" not in finding.model_dump()


def test_each_choice_of_a_plan_is_told_in_chinese() -> None:
    plan = _plan(TrainConfig())
    again = TrainingPlan.model_validate_json(plan.model_dump_json())
    assert len(again.decisions) >= 10
    for decision in again.decisions:
        assert SENTENCE.search(ZH.told(decision.told("reason"))) is None, decision.reason
    with pytest.raises(ConfigError) as refused:
        _plan(TrainConfig.model_validate({"training": {"warmup_steps": 50, "max_steps": 9}}))
    assert ZH.told(refused.value.message) == "training.warmup_steps：50 沒有小於這次訓練的 9 步"


def test_errors_come_through_http_with_what_they_are_made_of(
    api_server: ApiServer, own_reviews: Callable[["Platform", str], None]
) -> None:
    with api_server.signed_in() as client:
        with pytest.raises(PlatformError) as missing:
            client.datasets.show("nothing")
        assert ZH.told(missing.value.message) == "沒有名為 'nothing' 的資料集"
        assert ZH.told(missing.value.hint) == "`GET /datasets` 會列出你的資料集"
        with pytest.raises(PlatformError) as refused:
            client.train.submit({"training": {"learning_rate": -1}, "lora": {"rank": 8}})
        places = {pointer: ZH.told(detail) for pointer, detail in refused.value.places}
        assert places["/lora/rank"] == "沒有這個設定；是不是 lora.r？"
        assert places["/training/learning_rate"].startswith("不能用 -1；應為auto，或數字，大於 0")
        own_reviews(api_server.platform, "user")
        training = {"max_steps": 3, "num_train_epochs": 2}
        check = client.config.validate({"data": {"train": "reviews@1"}, "training": training})
        warned = [ZH.told(text, check.said.get(f"warnings.{place}")) for place, text in enumerate(check.warnings)]
        assert warned == ["training.num_train_epochs 無效：由 training.max_steps 決定"]


def test_a_failed_training_is_explained_in_chinese(visit: Visit, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "words", lambda: Words("zh_TW", "Asia/Taipei"))
    page = visit("tasks", task=runs.add("bad", state="FAILURE").task_id)
    kinds = (page.markdown, page.caption, page.error, page.warning, page.info)
    shown = "\n".join(str(element.value) for kind in kinds for element in kind)
    assert page.error
    assert SENTENCE.search(shown) is None, shown


def test_no_page_says_a_sentence_in_english(
    visit: Visit,
    api_server: ApiServer,
    runs: Runs,
    own_reviews: Callable[["Platform", str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(context, "words", lambda: Words("zh_TW", "Asia/Taipei"))
    pages = [visit("train")]
    own_reviews(api_server.platform, "user")
    runs.add("fine-001", accuracy=0.9)
    for page in [*pages, visit("data"), visit("experiments", run="fine-001")]:
        assert not page.exception
        shown = [str(getattr(one, part, "")) for one in page.main for part in ("value", "label", "help", "placeholder")]
        assert [text for text in shown if SENTENCE.search(text)] == []


def _plan(config: TrainConfig) -> TrainingPlan:
    """A plan for a small data set on a machine without a GPU."""
    base = BaseModelFacts(
        name="minilm", hub_id="hub/minilm", language="English", architecture="Bert", fingerprint="0" * 64,
        max_positions=512, hidden_size=384, encoder_linears=["query"], head_modules=["classifier"],
    )  # fmt: skip
    data = DatasetProfile(
        version="v", labels=["a", "b"], train_label_counts=[50, 50], num_train=100, num_eval=10, num_test=0,
        tokens=TokenFacts(mean=20.0, p50=20, p99=50, longest=60),
    )  # fmt: skip
    return make_plan(config, data, base, Hardware(device="cpu", device_name="CPU", num_threads=2, memory_bytes=0))

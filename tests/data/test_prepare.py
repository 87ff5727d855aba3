import json
from pathlib import Path

import pytest

from app.data import catalogue
from app.data.prepare import load_prepared, prepare
from app.domain.data_report import DataReport
from app.domain.errors import DataBlocked, DatasetDamaged, DataUnreadable, InvalidInput, NotFound
from app.domain.train_config import DataConfig

ROWS = [
    (f"the {w} was {n} on {d}", n) for w in ("food", "room") for n in ("fine", "awful") for d in ("Monday", "Friday")
]


def _csv(path: Path, rows: list[tuple[str, str]]) -> str:
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows), encoding="utf-8")
    return str(path)


def test_rows_become_examples_with_label_ids(tmp_path: Path) -> None:
    data = DataConfig(
        train=_csv(tmp_path / "reviews.csv", ROWS),
        eval=_csv(tmp_path / "eval.csv", [("not bad", "fine")]),
        test=_csv(tmp_path / "test.csv", [("not good", "awful"), ("good", "fine")]),
    )
    prepared = prepare(data, 42, tmp_path / "results")
    identity = prepared.report.identity
    assert identity.name == "reviews"
    assert identity.labels == ["awful", "fine"]
    assert (identity.num_train, identity.num_eval, identity.num_test) == (8, 1, 2)
    assert identity.train_label_counts == [4, 4]
    assert prepared.splits["train"].texts == [text for text, _ in ROWS]
    assert prepared.splits["train"].label_ids == [identity.labels.index(label) for _, label in ROWS]
    assert prepared.splits["test"].label_ids == [0, 1]
    assert list(prepared.report.reports) == ["train", "eval", "test"]


def test_without_eval_data_some_training_rows_are_held_out(tmp_path: Path) -> None:
    data = DataConfig(train=_csv(tmp_path / "reviews.csv", ROWS))
    prepared = prepare(data, 42, tmp_path / "results")
    assert "test" not in prepared.splits
    train, held_out = prepared.splits["train"], prepared.splits["eval"]
    assert sorted(train.texts + held_out.texts) == sorted(text for text, _ in ROWS)
    assert sorted(held_out.label_ids) == [0, 1]
    assert prepare(data, 42, tmp_path / "results") == prepared
    assert prepare(data, 43, tmp_path / "results").report.identity.version != prepared.report.identity.version


def test_the_same_rows_in_another_format_are_the_same_version(tmp_path: Path) -> None:
    lines = [json.dumps({"label": label, "text": text}) for text, label in ROWS]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    versions = {
        prepare(DataConfig(train=source), 7, tmp_path / "results").report.identity.version
        for source in (_csv(tmp_path / "rows.csv", ROWS), str(tmp_path / "rows.jsonl"))
    }
    assert len(versions) == 1


def test_what_was_prepared_is_reloaded_by_its_report(tmp_path: Path) -> None:
    prepared = prepare(DataConfig(train=_csv(tmp_path / "rows.csv", ROWS)), 1, tmp_path / "results")
    report = DataReport.model_validate(json.loads(prepared.report.model_dump_json()))
    assert load_prepared(report, tmp_path / "results").splits == prepared.splits


def test_a_damaged_version_is_not_reloaded(tmp_path: Path) -> None:
    prepared = prepare(DataConfig(train=_csv(tmp_path / "rows.csv", ROWS)), 1, tmp_path / "results")
    (path,) = (tmp_path / "results" / "datasets").glob("chunks/*/*.parquet")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DatasetDamaged):
        load_prepared(prepared.report, tmp_path / "results")


def test_blocking_findings_stop_and_carry_every_report(tmp_path: Path) -> None:
    data = DataConfig(
        train=_csv(tmp_path / "rows.csv", [*ROWS, ("", "fine")]),
        eval=_csv(tmp_path / "eval.csv", [("odd", "strange")]),
    )
    with pytest.raises(DataBlocked) as caught:
        prepare(data, 42, tmp_path / "results")
    assert "empty_text" in caught.value.message
    assert "(rows 9)" in caught.value.message
    assert "unknown_label" in caught.value.message
    assert "--allow empty_text" in caught.value.hint
    assert list(caught.value.reports) == ["train", "eval"]
    assert not (tmp_path / "results").exists()


def test_allowed_rows_are_not_trained_on(tmp_path: Path) -> None:
    data = DataConfig(train=_csv(tmp_path / "rows.csv", [*ROWS, ("", "fine")]), allow=["empty_text"])
    prepared = prepare(data, 42, tmp_path / "results")
    assert prepared.report.identity.num_train + prepared.report.identity.num_eval == len(ROWS)
    assert prepared.report.reports["train"].rows == len(ROWS) + 1


def test_texts_shared_by_all_labels_leave_nothing_to_hold_out(tmp_path: Path) -> None:
    rows = [("one", "a"), ("one", "b"), ("two", "a"), ("two", "c")]
    with pytest.raises(DataBlocked, match="no text can be held out"):
        prepare(DataConfig(train=_csv(tmp_path / "rows.csv", rows)), 42, tmp_path / "results")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A results directory in which `reviews@1` is stored; its eval rows were held out, its test rows given."""
    results = tmp_path / "results"
    test = _csv(tmp_path / "test.csv", [("not good", "awful"), ("good", "fine")])
    prepared = prepare(DataConfig(train=_csv(tmp_path / "rows.csv", ROWS), test=test), 42, results)
    catalogue.add(results, "reviews", prepared.report.identity.version, None)
    return results


@pytest.mark.parametrize("source", ["reviews@1", "reviews"])
def test_a_stored_version_is_used_exactly_with_its_splits(stored: Path, tmp_path: Path, source: str) -> None:
    files = DataConfig(train=str(tmp_path / "rows.csv"), test=str(tmp_path / "test.csv"))
    prepared = prepare(DataConfig(train=source), 7, stored)
    assert prepared.splits == prepare(files, 42, stored).splits
    assert prepared.report.identity.name == "reviews@1"
    assert prepared.report.identity.version == catalogue.find(stored, "reviews@1").version
    assert list(prepared.report.reports) == ["train", "test"]


def test_other_evaluation_rows_with_a_stored_version_are_checked_and_make_another_version(
    stored: Path, tmp_path: Path
) -> None:
    data = DataConfig(train="reviews@1", eval=_csv(tmp_path / "other.csv", [(ROWS[0][0], "fine"), ("odd", "fine")]))
    prepared = prepare(data, 42, stored)
    assert prepared.report.identity.name == "reviews@1 + other.csv"
    assert prepared.report.identity.version != catalogue.find(stored, "reviews@1").version
    assert prepared.splits["eval"].texts == [ROWS[0][0], "odd"]
    assert prepared.splits["train"] == prepare(DataConfig(train="reviews@1"), 42, stored).splits["train"]


def test_as_test_data_a_stored_version_gives_its_test_rows(stored: Path, tmp_path: Path) -> None:
    data = DataConfig(train=_csv(tmp_path / "more.csv", [(f"{text}!", label) for text, label in ROWS]), test="reviews")
    assert prepare(data, 42, stored).splits["test"].texts == ["not good", "good"]


def test_as_evaluation_data_a_stored_version_whose_rows_were_only_held_out_gives_all(
    stored: Path, tmp_path: Path
) -> None:
    data = DataConfig(train=_csv(tmp_path / "more.csv", [(f"{text}!", label) for text, label in ROWS]), eval="reviews")
    assert len(prepare(data, 42, stored).splits["eval"].texts) == len(ROWS) + 2


def test_a_finding_of_a_stored_version_can_be_made_blocking(tmp_path: Path) -> None:
    results = tmp_path / "results"
    prepared = prepare(DataConfig(train=_csv(tmp_path / "rows.csv", [*ROWS, ROWS[0]])), 42, results)
    catalogue.add(results, "twice", prepared.report.identity.version, None)
    with pytest.raises(DataBlocked, match="duplicate"):
        prepare(DataConfig(train="twice@1", block=["duplicate"]), 42, results)


def test_a_stored_name_that_is_not_there_is_refused(stored: Path) -> None:
    with pytest.raises(NotFound, match="no data set named 'review'") as caught:
        prepare(DataConfig(train="review@3"), 42, stored)
    assert "reviews" in caught.value.hint


def test_a_file_comes_before_a_stored_name(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _csv(tmp_path / "reviews", [(f"{text}!", label) for text, label in ROWS])
    assert all(text.endswith("!") for text in prepare(DataConfig(train="reviews"), 42, stored).splits["train"].texts)


def test_no_training_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no training data"):
        prepare(DataConfig(), 42, tmp_path)


def test_a_missing_eval_file_is_named(tmp_path: Path) -> None:
    data = DataConfig(train=_csv(tmp_path / "rows.csv", ROWS), eval=str(tmp_path / "absent.csv"))
    with pytest.raises(DataUnreadable, match=r"absent\.csv"):
        prepare(data, 42, tmp_path)


def test_a_row_of_64_megabytes_is_a_finding_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    _csv(path, ROWS)
    with path.open("ab") as file:
        for _ in range(64):
            file.write(b"x" * 1_000_000)
        file.write(b",fine\nthe end was fine,fine\n")
    with pytest.raises(DataBlocked, match="max_row_bytes") as caught:
        prepare(DataConfig(train=str(path)), 42, tmp_path / "results")
    (finding,) = caught.value.reports["train"].findings
    assert (finding.code, finding.rows, finding.count) == ("unreadable_row", [9], 1)
    assert caught.value.reports["train"].rows == 10


def test_stored_data_is_held_against_the_base_model_too(assets: Path, repository: Path, tmp_path: Path) -> None:
    from app.data.readability import BaseTokenizer
    from app.services import data_sets

    source = DataConfig(train=str(repository / "examples" / "reviews_zh_tw.csv"))
    named, _ = data_sets.add(tmp_path, "chinese", source, seed=42)
    english = BaseTokenizer("english", assets / "models" / "tokenizers" / "bert-base-uncased" / "tokenizer.json")
    stored = DataConfig(train=str(named))
    with pytest.raises(DataBlocked, match="english cannot read"):
        prepare(stored, 42, tmp_path, english)
    allowed = prepare(stored.model_copy(update={"allow": ["language_mismatch"]}), 42, tmp_path, english)
    assert [finding.code for finding in allowed.report.reports["train"].findings] == ["language_mismatch"]
    assert prepare(stored, 42, tmp_path).report.reports["train"].findings == []

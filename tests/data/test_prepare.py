import json
from pathlib import Path

import pytest

from app.data.prepare import load_prepared, prepare
from app.data.versioning import version_path
from app.domain.data_report import DataReport
from app.domain.errors import DataBlocked, DatasetDamaged, DataUnreadable, InvalidInput
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
    path = version_path(tmp_path / "results", prepared.report.identity.version)
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


def test_a_named_data_set_is_refused_honestly(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not available in this version"):
        prepare(DataConfig(train="reviews@3"), 42, tmp_path)


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

"""`finetune data add|list|show|diff|export|remove|gc`, as typed, and training on what they store."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.data.readers import read

Finetune = Callable[..., Any]


def _changed(reviews: Path) -> Path:
    """The reviews with one row relabelled, one removed and two added."""
    lines = reviews.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace(",good", ",bad")
    del lines[2]
    lines += ['"a quiet room, and a bed as at home",good', '"never, never again",bad']
    path = reviews.with_name("changed.csv")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def stored(finetune: Finetune, reviews: Path) -> Finetune:
    """A `finetune` that has stored reviews@1 and reviews@2."""
    finetune("data", "add", str(reviews), "--name", "reviews")
    finetune("data", "add", str(_changed(reviews)), "--name", "reviews")
    return finetune


def test_adding_stores_a_version_and_says_how_to_train_on_it(finetune: Finetune, reviews: Path) -> None:
    answer = finetune("data", "add", str(reviews), "--name", "reviews")
    assert answer.status == 0
    assert "stored as reviews@1\n  finetune train --data reviews@1" in answer.out


def test_the_same_rows_again_or_in_another_format_are_the_version_there_is(
    stored: Finetune, reviews: Path, tmp_path: Path
) -> None:
    other = tmp_path / "reviews.jsonl"
    rows = read(str(reviews))
    pairs = zip(rows.texts, rows.labels, strict=True)
    other.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in pairs))
    for file in (reviews, other):
        assert "nothing new: this is reviews@1" in stored("data", "add", str(file), "--name", "reviews").out
    assert len(json.loads(stored("data", "list", "--json").out)) == 2


def test_what_blocks_is_shown_and_nothing_is_stored(finetune: Finetune, tmp_path: Path, reviews: Path) -> None:
    reviews.write_text(reviews.read_text() + ",good\n")
    answer = finetune("data", "add", str(reviews), "--name", "reviews")
    assert answer.status == 1
    assert "empty_text" in answer.out
    assert not (tmp_path / "results" / "datasets" / "names").exists()
    assert finetune("data", "add", str(reviews), "--name", "reviews", "--allow", "empty_text").status == 0


@pytest.mark.parametrize(
    ("words", "said"), [(("--name", "../up"), "cannot be used"), (("--name", "a", "--eval-fraction", "0.9"), "0.5")]
)
def test_a_wrong_name_or_share_is_refused(finetune: Finetune, reviews: Path, words: tuple[str, ...], said: str) -> None:
    answer = finetune("data", "add", str(reviews), *words)
    assert answer.status == 2
    assert said in answer.err


def test_a_list_and_one_version_can_be_read_by_people_and_programs(stored: Finetune) -> None:
    assert "reviews@2" in stored("data", "list").out
    shown = stored("data", "show", "reviews@2").out
    assert "changed.csv (csv" in shown
    assert "10% held out with seed 42" in shown
    found = json.loads(stored("data", "show", "reviews", "--json").out)
    first = json.loads(stored("data", "show", "reviews@1", "--json").out)
    assert (found["number"], found["parent"], found["rows"]) == (2, first["version"], 61)
    assert found["reports"]["train"]["ok"] is True
    assert (found["profile"]["rows"], len(found["profile"]["classes"])) == (61, 2)


def test_a_diff_counts_and_shows_side_by_side(stored: Finetune) -> None:
    shown = stored("data", "diff", "reviews@1", "reviews@2").out
    assert "2 added, 1 removed, 1 relabelled, 58 unchanged" in shown
    found = json.loads(stored("data", "diff", "reviews@1", "reviews@2", "--json").out)
    assert found["num_added"] == 2
    assert found["relabelled"] == [
        {"text": "a fine and pleasant day number 0 at the sea", "old_label": "good", "new_label": "bad"}
    ]
    assert {row["text"] for row in found["added"]} == {"a quiet room, and a bed as at home", "never, never again"}
    assert found["num_moved"] == 0


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_what_is_exported_reads_back_as_the_same_rows(stored: Finetune, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out.{suffix}"
    assert stored("data", "export", "reviews@1", "--out", str(out)).status == 0
    rows = read(str(out), text_column="text", label_column="label")
    assert (rows.num_rows, rows.detected.columns) == (60, ["text", "label", "split"])
    columns = ("--text-column", "text", "--label-column", "label")
    again = json.loads(stored("data", "add", str(out), "--name", "again", *columns, "--json").out)
    assert again["version"] == json.loads(stored("data", "show", "reviews@1", "--json").out)["version"]


def test_one_split_is_exported_alone_and_no_file_is_overwritten(stored: Finetune, tmp_path: Path) -> None:
    out = tmp_path / "eval.csv"
    assert stored("data", "export", "reviews", "--split", "eval", "--out", str(out)).status == 0
    assert out.read_text().startswith("text,label\n")
    before = out.read_bytes()
    assert stored("data", "export", "reviews", "--out", str(out)).status == 1
    assert out.read_bytes() == before
    assert "it has train, eval" in stored("data", "export", "reviews", "--split", "test", "--out", "x.csv").err
    assert ".parquet" in stored("data", "export", "reviews", "--out", str(tmp_path / "x.doc")).err


def test_a_version_is_removed_by_number_only_and_its_room_freed(stored: Finetune) -> None:
    assert stored("data", "remove", "reviews").status == 2
    assert stored("data", "remove", "reviews@2").status == 0
    assert stored("data", "show", "reviews@2").status == 2
    assert json.loads(stored("data", "gc", "--dry-run", "--json").out)["versions"] == []
    assert len(json.loads(stored("data", "gc", "--grace-minutes", "0", "--json").out)["versions"]) == 1
    assert stored("data", "show", "reviews@1").status == 0


def test_a_damaged_file_is_named(stored: Finetune, tmp_path: Path) -> None:
    for path in (tmp_path / "results" / "datasets").glob("chunks/*/*"):
        path.write_bytes(path.read_bytes()[:-9])
    answer = stored("data", "show", "reviews@1")
    assert answer.status == 1
    assert ".parquet" in answer.err


def test_a_run_records_the_stored_version_and_keeps_it(stored: Finetune) -> None:
    version = json.loads(stored("data", "show", "reviews@1", "--json").out)["version"]
    assert stored("train", "--data", "reviews@1", "--name", "first").status == 0
    found = json.loads(stored("experiments", "show", "first", "--json").out)
    assert (found["dataset"], found["lineage"]["data_version"]) == ("reviews@1", version)
    assert "reviews@1" in stored("experiments", "show", "first").out
    stored("data", "remove", "reviews@1")
    assert json.loads(stored("data", "gc", "--grace-minutes", "0", "--json").out)["versions"] == []


def test_training_on_a_version_that_is_not_there_names_those_that_are(stored: Finetune) -> None:
    answer = stored("train", "--data", "reviews@9")
    assert answer.status == 2
    assert "there is reviews@1, reviews@2" in answer.err

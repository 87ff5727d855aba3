import json
from pathlib import Path
from typing import get_args

import pytest

from app.data.checks.repeats import Training
from app.data.findings import COST, Rules
from app.data.labels import label_order
from app.data.prepare import check
from app.data.readability import BaseTokenizer
from app.data.readers import read
from app.data.validation import Checked, Reference, validate
from app.domain.data_report import Finding, FindingCode
from app.domain.errors import ConfigError
from app.domain.train_config import DataConfig

GOOD = "".join(f"the {w} was {n} today,{n}\n" for w in ("food", "room", "staff", "view") for n in ("fine", "awful"))


def _check(
    tmp_path: Path, content: str | bytes, rules: Rules | None = None, against: Reference | None = None, **options: str
) -> Checked:
    path = tmp_path / "rows.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return validate(read(str(path), **options), rules or Rules(), against=against, to_split=against is None)


def _finding(checked: Checked, code: str) -> Finding:
    (found,) = [finding for finding in checked.report.findings if finding.code == code]
    assert found.message
    assert found.fix
    return found


def test_a_good_file_has_no_findings(tmp_path: Path) -> None:
    report = _check(tmp_path, "text,label\n" + GOOD).report
    assert report.ok
    assert report.findings == []
    assert report.labels == {"awful": 4, "fine": 4}


def test_an_empty_text_blocks_and_its_row_is_named(tmp_path: Path) -> None:
    checked = _check(tmp_path, "text,label\n" + GOOD + ' \t,fine\n"",awful\n')
    found = _finding(checked, "empty_text")
    assert (found.severity, found.count, found.rows) == ("error", 2, [9, 10])
    assert not checked.report.ok


def test_a_missing_label_blocks_and_its_row_is_named(tmp_path: Path) -> None:
    found = _finding(_check(tmp_path, "text,label\nnobody knows this,\n" + GOOD + "nor this\n"), "missing_label")
    assert (found.severity, found.rows) == ("error", [1, 10])
    assert found.examples == ["nobody knows this", "nor this"]


def test_a_column_of_empty_labels_is_named_and_nothing_is_left_to_train_on(tmp_path: Path) -> None:
    checked = _check(tmp_path, "text,label\n" + "a good day at the sea,\n" * 3, Rules(frozenset({"missing_label"})))
    assert _finding(checked, "missing_label").severity == "error"
    assert "no row with both" in _finding(checked, "single_class").message


def test_a_missing_column_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    found = _finding(_check(tmp_path, "text,Label\n" + GOOD, label_column="lable"), "missing_column")
    assert found.severity == "error"
    assert "'lable'" in found.message
    assert "'Label'" in found.fix


def test_one_label_blocks(tmp_path: Path) -> None:
    found = _finding(_check(tmp_path, "text,label\none fine day,fine\nanother fine day,fine\n"), "single_class")
    assert found.severity == "error"
    assert "'fine'" in found.message


def test_two_rows_block_for_nothing_can_be_held_out(tmp_path: Path) -> None:
    checked = _check(tmp_path, "text,label\none fine day,fine\none awful day,awful\n", Rules(frozenset({"tiny_class"})))
    found = _finding(checked, "tiny_class")
    assert found.severity == "error"
    assert "nothing can be held out" in found.message


def test_a_label_with_one_text_is_a_warning(tmp_path: Path) -> None:
    found = _finding(_check(tmp_path, "text,label\n" + GOOD + "so so,middling\nSo  so,middling\n"), "tiny_class")
    assert (found.severity, found.rows) == ("warning", [9, 10])


def test_labels_that_differ_by_case_or_white_space_block(tmp_path: Path) -> None:
    checked = _check(tmp_path, "text,label\n" + GOOD + "a nice evening,Fine\na nice morning,fine \n")
    found = _finding(checked, "label_variant")
    assert (found.severity, found.rows) == ("error", [9, 10])
    assert "'Fine' (1 row) beside 'fine' (4)" in found.message


def test_a_label_that_training_does_not_have_blocks_and_the_nearest_is_named(tmp_path: Path) -> None:
    reference = Reference(frozenset({"fine", "awful"}), Training.of([]))
    checked = _check(tmp_path, "text,label\n" + GOOD + "a nice evening,fined\n", against=reference)
    found = _finding(checked, "unknown_label")
    assert (found.severity, found.rows) == ("error", [9])
    assert "did you mean 'fine'" in found.message
    assert len(checked.texts) == 8


def test_texts_of_the_training_data_in_an_eval_file_are_leakage(tmp_path: Path) -> None:
    reference = Reference(frozenset({"fine", "awful"}), Training.of(["the food was fine today"]))
    found = _finding(_check(tmp_path, "text,label\n" + GOOD, against=reference), "leakage")
    assert (found.severity, found.rows) == ("warning", [1])
    assert "12.5%" in found.message


def test_repetitions_and_contradictions_are_told_apart(tmp_path: Path) -> None:
    extra = "The food was  FINE today,fine\nthe room was fine today,awful\n"
    checked = _check(tmp_path, "text,label\n" + GOOD + extra)
    assert _finding(checked, "duplicate").rows == [9]
    assert _finding(checked, "conflicting_label").rows == [3, 10]


def test_imbalance_names_the_largest_and_the_smallest_label(tmp_path: Path) -> None:
    many = "".join(f"the soup number {i} was fine,fine\n" for i in range(20))
    found = _finding(_check(tmp_path, "text,label\n" + GOOD + many), "imbalance")
    assert "'fine' has 24 rows, 'awful' only 4 rows" in found.message


def test_damaged_characters_are_named_with_their_rows(tmp_path: Path) -> None:
    found = _finding(_check(tmp_path, f"text,label\n{GOOD}a caf\ufffd in town,fine\n"), "encoding_damage")
    assert (found.severity, found.rows) == ("warning", [9])


def test_a_guess_at_the_encoding_is_shown_with_the_letters_that_depend_on_it(tmp_path: Path) -> None:
    checked = _check(tmp_path, f"text,label\n{GOOD}a café in town,fine\n".encode("cp1252"))
    found = _finding(checked, "encoding_damage")
    assert found.rows == [9]
    assert "cp1252" in found.message
    assert "café" in found.examples[0]
    assert checked.texts[8] == "a café in town"


def test_unreadable_rows_block_and_give_their_reason(tmp_path: Path) -> None:
    rows = "".join(f"x,{line}\n" for line in GOOD.splitlines())
    found = _finding(_check(tmp_path, "id,text,label\n" + rows + "x,one,two,fine\n"), "unreadable_row")
    assert (found.severity, found.count, found.rows) == ("error", 1, [9])
    assert "4 cells where 3 are expected" in found.message


def test_at_most_100_rows_are_named_and_all_are_counted(tmp_path: Path) -> None:
    found = _finding(_check(tmp_path, "text,label\n" + GOOD + ",fine\n" * 250), "empty_text")
    assert found.count == 250
    assert found.rows == list(range(9, 109))


def test_allowed_rows_are_left_out_and_the_finding_says_so(tmp_path: Path) -> None:
    content = "text,label\n" + GOOD + ",fine\nnobody knows,\n"
    checked = _check(tmp_path, content, Rules(frozenset({"empty_text", "missing_label"})))
    assert checked.report.ok
    assert checked.report.rows == 10
    assert len(checked.texts) == len(checked.labels) == 8
    assert _finding(checked, "empty_text").message.endswith("left out")


def test_allowed_label_variants_are_labels_of_their_own(tmp_path: Path) -> None:
    content = "text,label\n" + GOOD + "a nice evening,Fine\na nice morning,Fine\n"
    checked = _check(tmp_path, content, Rules(frozenset({"label_variant"})))
    assert checked.report.ok
    assert checked.report.labels == {"Fine": 2, "awful": 4, "fine": 4}


def test_a_blocked_code_becomes_an_error(tmp_path: Path) -> None:
    content = "text,label\n" + GOOD + "the food was fine today,fine\n"
    assert _check(tmp_path, content).report.ok
    assert not _check(tmp_path, content, Rules(block=frozenset({"duplicate"}))).report.ok


@pytest.mark.parametrize(
    ("allow", "block", "said"),
    [
        (["emty_text"], [], "empty_text"),
        ([], ["duplicates"], "duplicate"),
        (["single_class"], [], "cannot be allowed"),
        (["duplicate"], ["duplicate"], "is in data.allow and in data.block"),
    ],
)
def test_codes_that_cannot_take_effect_are_refused(allow: list[str], block: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Rules.of(allow, block)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "ordered"),
    [
        (["10", "9", "-1", "9"], ["-1", "9", "10"]),
        (["b", "B", "a", "10", "9"], ["10", "9", "B", "a", "b"]),
        (["正面", "負面"], ["正面", "負面"]),
        (["nan", "1"], ["1", "nan"]),
    ],
)
def test_labels_are_ordered_by_value_or_code_point(labels: list[str], ordered: list[str]) -> None:
    assert label_order(labels) == ordered


def test_numbers_here_and_names_there_are_said_to_be_the_same_labels_written_differently(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\n" + "one text,good\nanother text,bad\n" * 4)
    (tmp_path / "eval.csv").write_text("text,label\n" + "a text of its own,1\nanother of its own,0\n" * 4)
    checked = check(DataConfig(train=str(tmp_path / "train.csv"), eval=str(tmp_path / "eval.csv")))
    (found,) = [f for f in checked["eval"].report.findings if f.code == "unknown_label"]
    assert found.fix == "labels are numbers here and names in the training data: write both alike"


def test_ten_thousand_labels_are_checked_and_each_is_counted(tmp_path: Path) -> None:
    rows = [(f"text number {n} of class {n % 10_000}", f"class {n % 10_000}") for n in range(30_000)]
    (tmp_path / "rows.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    report = check(DataConfig(train=str(tmp_path / "rows.csv")))["train"].report
    assert report.labels == {f"class {n}": 3 for n in range(10_000)}


def test_a_column_of_nested_json_is_text_as_it_was_written(tmp_path: Path) -> None:
    rows = [{"text": {"title": f"text {n}", "tags": ["a", None]}, "label": ["x", "y"][n % 2]} for n in range(6)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = check(DataConfig(train=str(tmp_path / "rows.jsonl")))["train"]
    assert found.texts == [json.dumps(row["text"]) for row in rows]


def test_rows_of_different_numbers_of_fields_are_named(tmp_path: Path) -> None:
    lines = ["text,label", "fine,a", "too,many,cells", "fine as well,b", "missing", "good,a", "also good,b", "well,a"]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    report = check(DataConfig(train=str(tmp_path / "rows.csv")))["train"].report
    found = {f.code: f.rows for f in report.findings}
    assert found["unreadable_row"] == [2]
    assert found["missing_label"] == [4]


EVAL = [("one more evening at the lake", "fine"), ("a dish that nobody could eat", "awful")]


def _sources(tmp_path: Path, **files: list[tuple[str, str]]) -> dict[str, str]:
    for name, rows in files.items():
        lines = [f"{text},{label}" for text, label in rows]
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *lines, ""]), encoding="utf-8")
    return {name: str(tmp_path / f"{name}.csv") for name in files}


def test_test_rows_are_held_against_the_evaluation_rows_too(tmp_path: Path) -> None:
    train = [(f"the {w} was {n} today", n) for w in ("food", "room", "staff", "view") for n in ("fine", "awful")]
    sources = _sources(tmp_path, train=train, eval=EVAL, test=[*EVAL[:1], ("a walk in the rain", "fine")])
    checked = check(DataConfig(**sources), tmp_path / "results")
    assert not [finding for finding in checked["eval"].report.findings if finding.code == "leakage"]
    found = _finding(checked["test"], "leakage")
    assert found.rows == [1]
    assert "in the evaluation data" in found.message


def test_evaluation_rows_that_the_base_model_cannot_read_block(assets: Path, tmp_path: Path) -> None:
    vocabulary = assets / "models" / "tokenizers" / "bert-base-uncased" / "tokenizer.json"
    train = [(f"the {w} was {n} today", n) for w in ("food", "room", "staff", "view") for n in ("fine", "awful")]
    chinese = [("餐點很好吃服務也很親切", "fine"), ("等了一個小時才上菜太慢了", "awful")]
    sources = _sources(tmp_path, train=train, eval=chinese, test=[("word " * 50, "fine")])
    base = BaseTokenizer("minilm", vocabulary, 32)
    checked = check(DataConfig(**sources), tmp_path / "results", base)
    assert _finding(checked["eval"], "language_mismatch").severity == "error"
    assert _finding(checked["test"], "truncated").rows == [1]


def test_every_kind_of_finding_says_what_it_costs() -> None:
    assert set(COST) == set(get_args(FindingCode))
    assert all(len(cost) > 20 for cost in COST.values())


def test_imbalance_names_rows_of_the_rare_label_and_sorted_rows_where_each_label_begins(tmp_path: Path) -> None:
    lines = [f"a {'dull' if n < 40 else 'bright'} day and number {n},{'b' if n < 40 else 'a'}" for n in range(60)]
    checked = _check(tmp_path, "\n".join(["text,label", *lines, ""]))
    uneven = _finding(checked, "imbalance")
    assert "right for 66.7%" in uneven.message
    assert uneven.rows == list(range(41, 61))
    assert uneven.examples[0] == "a: a bright day and number 40"
    in_order = _finding(checked, "sorted_labels")
    assert in_order.rows == [1, 41]
    assert in_order.examples == ["'b' begins at row 1", "'a' begins at row 41"]

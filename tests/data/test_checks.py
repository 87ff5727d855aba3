"""Findings on texts and labels as a whole: each is seen where it is, and not where it is not."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from app.data.findings import Rules
from app.data.readability import BaseTokenizer
from app.data.readers import Rows, read
from app.data.splitting import split
from app.data.validation import Checked, Reference, validate, with_base_model
from app.domain.data_report import Finding, ValidationReport

WORDS = ("food", "room", "staff", "view", "street", "lift", "pool", "bar", "bed", "tea", "walk", "desk")
ROWS = [(f"we found that the {word} here was {how} indeed, {word}", how) for word in WORDS for how in ("fine", "awful")]
Check = Callable[..., Checked]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Validate rows of text and label written as csv."""

    def go(rows: Sequence[tuple[str, str]], against: Reference | None = None) -> Checked:
        path = tmp_path / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
        return validate(read(str(path)), Rules(), against=against, to_split=against is None)

    return go


def _findings(checked: Checked, code: str) -> list[Finding]:
    return [finding for finding in checked.report.findings if finding.code == code]


def test_rows_that_take_turns_have_no_findings(check: Check) -> None:
    assert check(ROWS).report.findings == []


def test_rows_sorted_by_label_are_noticed(check: Check) -> None:
    (found,) = _findings(check(sorted(ROWS, key=lambda row: row[1])), "sorted_labels")
    assert "2 runs of equal labels" in found.message
    assert found.severity == "warning"


def test_imbalance_says_what_guessing_would_score(check: Check) -> None:
    (found,) = _findings(check([row for row in ROWS if row[1] == "fine"] + ROWS[1:4:2]), "imbalance")
    assert "right for 85.7% of the rows" in found.message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a <b>bold</b> move<br/>and more", "<b>bold</b>"),
        ('see <a href="x.html" class=y>this</a> page', "<a href="),
        ("salt &amp; pepper for everyone", "&amp;"),
        ("that&#39;s what they all said", "&#39;"),
    ],
)
def test_markup_is_shown(check: Check, text: str, shown: str) -> None:
    (found,) = _findings(check([*ROWS, (text, "fine")]), "encoding_damage")
    assert found.rows == [len(ROWS) + 1]
    assert shown in found.examples[0]


@pytest.mark.parametrize("text", ["if a<b and c>d then stop it", "R&D; AT&T and <3 for you", "x <y> z of all things"])
def test_signs_that_are_no_markup_are_left_alone(check: Check, text: str) -> None:
    assert _findings(check([*ROWS, (text, "fine")]), "encoding_damage") == []


def test_a_text_far_longer_than_the_others_is_named(check: Check) -> None:
    (found,) = _findings(check([*ROWS, ("and then " * 100, "fine")]), "length_outlier")
    assert found.rows == [len(ROWS) + 1]
    assert "longest 900" in found.message


def test_a_few_rows_in_another_script_are_named_and_many_are_a_bilingual_set(check: Check) -> None:
    chinese = [(f"這裡的{word}非常好，下次再來{number}", "fine") for number, word in enumerate("湯飯麵茶酒菜魚肉")]
    (found,) = _findings(check([*ROWS, chinese[0]]), "language_mismatch")
    assert (found.rows, found.count) == ([len(ROWS) + 1], 1)
    assert _findings(check([*ROWS, *chinese]), "language_mismatch") == []


def test_personal_data_is_shown_masked(check: Check) -> None:
    (found,) = _findings(check([*ROWS, ("ask jo.doe@example.org about the bill", "fine")]), "personal_data")
    assert "e-mail address in 1 row" in found.message
    assert "jo.doe" not in " ".join(found.examples)


def test_an_eval_row_nearly_in_training_leaks(check: Check) -> None:
    training = check(ROWS).reference()
    near = (ROWS[0][0] + " then!", ROWS[0][1])
    (found,) = _findings(check([near, ("something else altogether, from another world", "fine")], training), "leakage")
    assert found.rows == [1]
    assert "1 of them with small differences" in found.message


def test_a_split_keeps_near_duplicates_on_one_side(check: Check) -> None:
    rows = [row for text, label in ROWS for row in ((text, label), (f"{text} really", label), (f"oh, {text}", label))]
    checked = check(rows)
    assert len(checked.alike) == len(ROWS)
    for seed in range(20):
        train, held_out = split(checked.texts, checked.labels, 0.3, seed, alike=checked.alike)
        assert held_out
        assert {row // 3 for row in train}.isdisjoint(row // 3 for row in held_out)


def test_a_label_that_has_nothing_but_near_duplicates_can_still_be_held_out(check: Check) -> None:
    rows = [*ROWS, *((f"it was simply all right for the price we paid{end}", "middling") for end in ("", "!", " then"))]
    checked = check(rows)
    train, held_out = split(checked.texts, checked.labels, 0.2, 1, alike=checked.alike)
    assert "middling" in {checked.labels[row] for row in train} & {checked.labels[row] for row in held_out}


def _report(rows: Rows, base: BaseTokenizer, *allow: str) -> ValidationReport:
    rules = Rules(allow=frozenset(allow))
    return with_base_model(validate(rows, rules).report, rows, rules, base)


def _base(assets: Path, name: str) -> BaseTokenizer:
    return BaseTokenizer(name, assets / "models" / "tokenizers" / name / "tokenizer.json")


@pytest.mark.parametrize("name", ["bert-base-uncased", "roberta-base", "albert"])
def test_chinese_text_on_an_english_vocabulary_is_blocked_and_the_right_model_named(
    name: str, assets: Path, repository: Path
) -> None:
    rows = read(str(repository / "examples" / "reviews_zh_tw.csv"))
    report = _report(rows, _base(assets, name))
    (found,) = [finding for finding in report.findings if finding.code == "language_mismatch"]
    assert (found.severity, found.count) == ("error", 150)
    assert "bert-base-chinese" in found.fix
    allowed = _report(rows, _base(assets, name), "language_mismatch")
    assert allowed.ok


def test_a_model_that_reads_the_texts_is_no_finding(
    assets: Path, repository: Path, tiny_model: Callable[..., Path]
) -> None:
    chinese = BaseTokenizer("bert-base-chinese", tiny_model("bert-base-chinese") / "tokenizer.json")
    for base, name in ((chinese, "reviews_zh_tw.csv"), (_base(assets, "bert-base-uncased"), "reviews_train.csv")):
        rows = read(str(repository / "examples" / name))
        assert _report(rows, base).findings == []


def test_an_alphabet_that_is_only_spelt_is_a_warning(check: Check, assets: Path, tmp_path: Path) -> None:
    path = tmp_path / "russian.csv"
    lines = [f"Официант был очень любезен и {word} нам понравился,{label}" for word in "абвгд" for label in "+-"]
    path.write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    report = _report(read(str(path)), _base(assets, "bert-base-uncased"))
    (found,) = [finding for finding in report.findings if finding.code == "language_mismatch"]
    assert found.severity == "warning"
    assert "only spells 10 rows in Cyrillic script" in found.message
    assert "multilingual" in found.fix


def test_examples_of_any_finding_have_personal_data_masked(check: Check) -> None:
    rows = [("write to ann.smith@example.org about the cold soup", "bad")] * 2 + [("a lovely evening", "good")] * 2
    report = check(rows).report
    examples = [example for finding in report.findings for example in finding.examples]
    assert any("about the cold soup" in example for example in examples)
    assert not any("ann.smith@example.org" in example for example in examples)


def test_texts_of_more_tokens_than_are_read_are_named(assets: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    lengths = [5, 62, 63, 400, 3]
    lines = [f"{'word ' * length},{label}" for length, label in zip(lengths, "ababa", strict=True)]
    path.write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    base = _base(assets, "bert-base-uncased")
    assert not _truncated(path, base)  # how much it reads is not known
    (found,) = _truncated(path, replace(base, max_length=64))  # 62 words and the two special tokens
    assert (found.rows, found.count, found.severity) == ([3, 4], 2, "warning")
    assert "2 rows of 5 (40.0%) have more than the 64 tokens that bert-base-uncased is to read" in found.message


def _truncated(path: Path, base: BaseTokenizer) -> list[Finding]:
    return [finding for finding in _report(read(str(path)), base).findings if finding.code == "truncated"]


OTHER = {"good": "bad", "bad": "good"}


def _many(wrong: Sequence[int]) -> list[tuple[str, str]]:
    """A hundred and twenty rows of two kinds that take turns; those at the places in `wrong` have the other label."""
    kinds = [("a lovely sunny day number {} by the {}", "good"), ("the soup was cold, visit {} to the {}", "bad")]
    rows = [(text.format(n, WORDS[n % len(WORDS)]), label) for n in range(60) for text, label in kinds]
    return [(text, OTHER[label] if place in wrong else label) for place, (text, label) in enumerate(rows)]


def test_a_label_that_is_very_probably_wrong_is_named_and_can_be_made_blocking(check: Check, tmp_path: Path) -> None:
    (found,) = _findings(check(_many(range(3))), "suspected_label_error")
    assert sorted(found.rows) == [1, 2, 3]
    assert found.severity == "warning"
    assert "rather" in found.examples[0]
    assert "finetune data label-errors" in found.fix
    assert not _findings(check(_many(())), "suspected_label_error")
    assert not _findings(check(_many(range(3))[:20]), "suspected_label_error")  # too few to judge by
    check(_many(range(3)))
    assert not validate(read(str(tmp_path / "rows.csv")), Rules.of([], ["suspected_label_error"])).report.ok


def test_of_very_many_rows_a_sample_is_judged_and_that_is_said(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.data.checks.doubts.MAX_ROWS", 100)
    wrong = range(0, 120, 30)
    (found,) = _findings(check(_many(wrong)), "suspected_label_error")
    assert "of 100 that were judged" in found.message
    assert set(found.rows) <= {place + 1 for place in wrong}

"""Public data sets as found in the wild are read right without a single option."""

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from app.data.findings import Rules
from app.data.prepare import check
from app.data.readers import read
from app.data.validation import Checked, validate
from app.domain.train_config import DataConfig

KNOWN: list[tuple[str, dict[str, str], list[tuple[str, str, str]]]] = [
    (
        "sst2/train.tsv",
        {"test": "sst2/test.tsv"},
        [("train", "duplicate", "9 rows"), ("test", "leakage", "2 rows (0.1%)")],
    ),
    (
        "trec/TREC.train",
        {"test": "trec/TREC.test"},
        [
            ("train", "encoding_damage", "not UTF-8"),
            ("train", "duplicate", "71 rows"),
            ("train", "conflicting_label", "1 text"),
            ("train", "imbalance", "'ENTY:currency' only 4 rows"),
            ("test", "leakage", "12 rows (2.4%) whose text is also in the training data, 1 of them with small"),
        ],
    ),
    (
        "banking77/train.csv",
        {"test": "banking77/test.csv"},
        [
            ("train", "imbalance", "has 187 rows, 'contactless_not_working' only 35 rows"),
            ("test", "leakage", "151 rows (4.9%) whose text is also in the training data, 144 of them with small"),
        ],
    ),
    (
        "emotion/train.txt",
        {"test": "emotion/test.txt"},
        [
            ("train", "conflicting_label", "30 texts"),
            ("train", "imbalance", "'joy' has 5,362 rows"),
            ("test", "leakage", "16 rows (0.8%) whose text is also in the training data, 5 of them with small"),
        ],
    ),
    (
        "zh_waimai_10k/waimai_10k.csv",
        {},
        [
            ("train", "sorted_labels", "2 runs"),
            ("train", "conflicting_label", "7 texts"),
            ("train", "imbalance", "right for 66.6% of the rows"),
        ],
    ),
    (
        "zh_chnsenticorp/train.tsv",
        {"eval": "zh_chnsenticorp/dev.tsv", "test": "zh_chnsenticorp/test.tsv"},
        [
            ("train", "duplicate", "1,327 rows"),
            ("train", "conflicting_label", "24 texts"),
            ("eval", "leakage", "348 rows (29.0%) whose text is also in the training data, 10 of them with small"),
            ("test", "leakage", "337 rows (28.1%) whose text is also in the training data, 6 of them with small"),
        ],
    ),
]


@cache
def checked(folder: Path, train: str) -> dict[str, Checked]:
    """What the gate says, by split, of training data and the files that go with it; once for all tests."""
    others = next(others for name, others, _ in KNOWN if name == train)
    return check(DataConfig(train=str(folder / train), **{split: str(folder / name) for split, name in others.items()}))


@pytest.mark.parametrize(
    ("name", "num_rows", "labels", "text_column", "label_column"),
    [
        ("banking77/train.csv", 10003, 77, "text", "category"),
        ("banking77/test.csv", 3080, 77, "text", "category"),
        ("emotion/train.txt", 16000, 6, "text", "label_name"),
        ("emotion/val.txt", 2000, 6, "text", "label_name"),
        ("emotion/test.txt", 2000, 6, "text", "label_name"),
        ("sst2/train.tsv", 6920, 2, "1", "2"),
        ("sst2/dev.tsv", 872, 2, "1", "2"),
        ("sst2/test.tsv", 1821, 2, "1", "2"),
        ("trec/TREC.train", 5452, 50, "2", "1"),
        ("trec/TREC.test", 500, 42, "2", "1"),
        ("zh_waimai_10k/waimai_10k.csv", 11987, 2, "review", "label"),
        ("zh_chnsenticorp/train.tsv", 9600, 2, "text_a", "label"),
        ("zh_chnsenticorp/dev.tsv", 1200, 2, "text_a", "label"),
        ("zh_chnsenticorp/test.tsv", 1200, 2, "text_a", "label"),
    ],
)
def test_every_row_and_label_is_read_without_options(
    assets: Path, name: str, num_rows: int, labels: int, text_column: str, label_column: str
) -> None:
    if any(name == train for train, *_ in KNOWN):
        found = checked(assets / "data", name)["train"]
    else:
        found = validate(read(str(assets / "data" / name)), Rules(), to_split=True)
    report = found.report
    assert report.ok
    assert (report.rows, len(found.texts), len(report.labels)) == (num_rows, num_rows, labels)
    assert (report.detected.text_column, report.detected.label_column) == (text_column, label_column)


@pytest.mark.parametrize(("train", "others", "expected"), KNOWN)
def test_every_known_defect_is_found(
    assets: Path, train: str, others: dict[str, str], expected: list[tuple[str, str, str]]
) -> None:
    """Of 1,351 duplicates in ChnSentiCorp and 72 in TREC those with another label are conflicting, once a text."""
    found = checked(assets / "data", train)
    assert set(found) == {"train", *others}
    for split, code, said in expected:
        (message,) = [f.message for f in found[split].report.findings if f.code == code and said in f.message]
        assert message


def test_a_stray_byte_in_trec_loses_no_row_and_is_shown(assets: Path) -> None:
    rows = checked(assets / "data", "trec/TREC.train")["train"]
    (found,) = [f for f in rows.report.findings if f.code == "encoding_damage"]
    assert "cp1252" in found.message
    assert "sister" in rows.texts[found.rows[0] - 1]
    assert Counter(rows.labels)["ENTY:currency"] == 4


def test_quotes_in_chnsenticorp_are_text_and_the_reason_says_what_else_would_be_lost(assets: Path) -> None:
    found = read(str(assets / "data" / "zh_chnsenticorp" / "train.tsv"))
    assert found.num_unreadable == 0
    assert "quotes are part of the text: that loses no line (457 if" in found.detected.reasons["delimiter"]


@pytest.mark.parametrize("name", ["rt-polarity.neg", "rt-polarity.pos"])
def test_a_file_of_one_class_is_read_as_texts_without_labels(assets: Path, name: str) -> None:
    found = validate(read(str(assets / "data" / "mr" / name)), Rules())
    assert found.report.rows == 5331
    assert found.report.detected.encoding == "cp1252"
    assert [f.code for f in found.report.findings] == ["missing_column"]

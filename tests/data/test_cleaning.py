import csv
from pathlib import Path

import pytest

from app.data.cleaning import clean, write
from app.data.readers import read
from app.domain.errors import Conflict

DIRTY = (
    "text,label\na good day,fine\nA good  day,fine\n,fine\nno label,\ncafÃ© &amp; bar,Fine\nodd,fine\nodd,awful\n"
    "in the test,awful\na bad day,awful\n"
)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_a_cleaned_copy_has_every_change_listed_and_the_original_is_untouched(tmp_path: Path, suffix: str) -> None:
    source, out = tmp_path / "rows.csv", tmp_path / f"clean{suffix}"
    source.write_text(DIRTY, encoding="utf-8")
    listed = write(clean(read(str(source)), ["In the test"]), out)
    again = read(str(out))
    assert list(zip(again.texts, again.labels, strict=True)) == [
        ("a good day", "fine"),
        ("café & bar", "fine"),
        ("a bad day", "awful"),
    ]
    with listed.open(encoding="utf-8", newline="") as file:
        changes = [(int(row["row"]), row["code"], row["action"]) for row in csv.DictReader(file)]
    assert changes == [
        (2, "duplicate", "drop"),
        (3, "empty_text", "drop"),
        (4, "missing_label", "drop"),
        (5, "encoding_damage", "repair"),
        (5, "encoding_damage", "repair"),
        (5, "label_variant", "relabel"),
        (6, "conflicting_label", "drop"),
        (7, "conflicting_label", "drop"),
        (8, "leakage", "drop"),
    ]
    assert source.read_text(encoding="utf-8") == DIRTY


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "rows.csv"
    source.write_text(DIRTY, encoding="utf-8")
    with pytest.raises(Conflict, match="already"):
        write(clean(read(str(source))), source)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv"]


def test_rows_are_left_out_and_personal_data_masked_only_where_asked(tmp_path: Path) -> None:
    source = tmp_path / "rows.csv"
    source.write_text(
        "text,label\nwrite to ann@example.com,fine\nlost \ufffd here,fine\n<b>bold</b> words,awful\nodd,awful\n",
        encoding="utf-8",
    )
    rows = read(str(source))
    assert [text for text, _ in clean(rows).rows] == [
        "write to ann@example.com",
        "lost \ufffd here",
        "bold words",
        "odd",
    ]
    damaged = {2: "encoding_damage", 3: "encoding_damage", 4: "length_outlier"}
    cleaned = clean(rows, unwanted=damaged, mask=True)
    assert [text for text, _ in cleaned.rows] == ["write to a*************m", "bold words"]
    assert [(change.row, change.code, change.action) for change in cleaned.changes] == [
        (1, "personal_data", "repair"),
        (2, "encoding_damage", "drop"),
        (3, "encoding_damage", "repair"),
        (4, "length_outlier", "drop"),
    ]
    assert "ann@example" not in str(cleaned.changes)


def test_every_row_that_cannot_be_read_is_listed_and_other_columns_stay(tmp_path: Path) -> None:
    source, out = tmp_path / "rows.csv", tmp_path / "clean.csv"
    lines = [f"{n},{'good' if n % 2 else 'bad'} day number {n},{n % 2},{2000 + n}" for n in range(300)]
    lines[100:250] = [f"{n},torn" for n in range(150)]
    source.write_text("\n".join(["id,text,label,year", *lines, ""]), encoding="utf-8")
    rows = read(str(source), text_column="text", label_column="label")
    listed = write(clean(rows), out)
    with listed.open(encoding="utf-8", newline="") as file:
        changes = list(csv.DictReader(file))
    assert [int(row["row"]) for row in changes] == list(range(101, 251))
    assert all(row["reason"] for row in changes)
    with out.open(encoding="utf-8", newline="") as file:
        kept = list(csv.DictReader(file))
    assert [row["id"] for row in kept] == [str(n) for n in (*range(100), *range(250, 300))]
    assert kept[-1] == {"id": "299", "text": "good day number 299", "label": "1", "year": "2299"}


def test_the_list_of_changes_shows_no_personal_data_where_it_is_masked(tmp_path: Path) -> None:
    source = tmp_path / "rows.csv"
    source.write_text(
        "text,label\n<b>write</b> to ann@example.com,fine\nask bob@example.com,\nask eve@example.com,fine\n"
        "ask eve@example.com,fine\nodd,awful\n",
        encoding="utf-8",
    )
    cleaned = clean(read(str(source)), mask=True)
    assert {change.code for change in cleaned.changes} == {
        "encoding_damage",
        "missing_label",
        "duplicate",
        "personal_data",
    }
    assert "@example" not in str(cleaned.changes) + str(cleaned.rows)

"""What the owner of a file says of its layout is kept to, or refused with what could be said instead."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.data.readers import Rows, read
from app.domain.data_reading import Reading
from app.domain.errors import DataUnreadable, InvalidInput

SEMICOLONS = "text;label\n" + "one, warm day;good\na cold, wet night;bad\n" * 7


def _read(folder: Path, content: str | bytes, name: str = "rows.csv", **asked: Any) -> Rows:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    columns = {role: asked.pop(role) for role in ("text_column", "label_column") if role in asked}
    return read(str(path), reading=Reading(**asked), **columns)


def test_an_encoding_that_is_asked_for_is_taken(tmp_path: Path) -> None:
    content = "text;label\n餐廳很好吃;好\n服務很差;壞\n".encode("cp950")
    found = _read(tmp_path, content, encoding="cp950", delimiter=";")
    assert (found.texts[0], found.labels[0]) == ("餐廳很好吃", "好")
    assert (found.detected.encoding, found.detected.reasons["encoding"]) == ("cp950", "that was asked for")
    assert "餐廳" not in _read(tmp_path, content, encoding="utf-8", delimiter=";").texts[0]


@pytest.mark.parametrize("mark", [b"", b"\xff\xfe"])
def test_utf_16_is_read_with_its_mark_and_without(tmp_path: Path, mark: bytes) -> None:
    found = _read(tmp_path, mark + "text,label\n好,1\n壞,2\n".encode("utf-16-le"), encoding="utf-16")
    assert found.detected.columns == ["text", "label"]
    assert list(found.texts) == ["好", "壞"]


def test_a_separator_that_is_asked_for_is_taken_though_another_divides_the_lines_better(tmp_path: Path) -> None:
    assert _read(tmp_path, SEMICOLONS).detected.delimiter == ";"
    found = _read(tmp_path, SEMICOLONS, delimiter="comma", header=False, text_column="1", label_column="2")
    assert (found.detected.delimiter, found.detected.columns) == (",", ["1", "2"])
    assert found.num_rows == 15


def test_a_separator_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is not a tab in") as refused:
        _read(tmp_path, SEMICOLONS, delimiter="tab")
    assert refused.value.code == "data.reading_refused"
    assert "a comma, a semicolon" in refused.value.hint


def test_a_first_row_is_a_header_where_that_is_said(tmp_path: Path) -> None:
    rows = "a fine day,good\na wet day,bad\n" * 5
    assert _read(tmp_path, rows).detected.header is False
    named = _read(tmp_path, rows, header=True)
    assert (named.detected.columns, named.num_rows) == (["a fine day", "good"], 9)
    assert _read(tmp_path, SEMICOLONS, header=False).num_rows == 15


def test_quotes_are_part_of_the_text_where_that_is_said(tmp_path: Path) -> None:
    rows = 'text,label\n"fine",good\n"wet",bad\n' + '"so",good\n"no",bad\n' * 3
    assert _read(tmp_path, rows).texts[0] == "fine"
    assert _read(tmp_path, rows, quotes=False).texts[0] == '"fine"'


def test_a_label_and_a_text_a_line_can_be_asked_for(tmp_path: Path) -> None:
    rows = "good|a fine | warm day\nbad|a wet | cold day\n" * 6
    found = _read(tmp_path, rows, format="text", delimiter="|", header=False)
    assert (found.detected.format, set(found.labels)) == ("text", {"good", "bad"})
    assert found.texts[0] == "a fine | warm day"


def test_what_starts_like_json_can_be_read_as_columns(tmp_path: Path) -> None:
    rows = '{"a": 1},good\n{"b": 2},bad\n' * 5
    with pytest.raises(DataUnreadable, match="JSON"):
        _read(tmp_path, rows, "rows.txt")
    found = _read(tmp_path, rows, "rows.txt", format="csv", quotes=False)
    assert (found.detected.format, found.texts[0], found.labels[0]) == ("csv", '{"a": 1}', "good")


def test_what_is_in_an_archive_is_read_as_asked(tmp_path: Path) -> None:
    found = _read(tmp_path, gzip.compress(SEMICOLONS.encode()), "rows.csv.gz", header=False)
    assert found.num_rows == 15


@pytest.mark.parametrize(
    ("name", "content", "asked", "said"),
    [
        ("rows.jsonl", '{"text": "a", "label": "b"}\n', {"delimiter": ";"}, "rows.jsonl is read as jsonl"),
        ("rows.txt", "__label__a some text\n__label__b more\n", {"format": "fasttext", "header": True}, "fasttext"),
        ("rows.csv", SEMICOLONS, {"format": "text", "quotes": True}, "a label and a text in each line"),
        ("rows.tsv", "a\tb\n", {"format": "tsv", "delimiter": ","}, "tabs between columns"),
    ],
)
def test_wishes_that_such_a_file_does_not_know_are_refused_with_those_it_does(
    tmp_path: Path, name: str, content: str, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        _read(tmp_path, content, name, **asked)
    assert refused.value.code == "data.reading_refused"
    assert refused.value.hint


def test_a_parquet_file_and_a_workbook_say_themselves_how_they_are_read(tmp_path: Path) -> None:
    import openpyxl
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["a"], "label": ["b"]}), tmp_path / "rows.parquet")
    with pytest.raises(InvalidInput, match="encoding cannot be chosen"):
        read(str(tmp_path / "rows.parquet"), reading=Reading(encoding="utf-8"))
    book = openpyxl.Workbook()
    for row in [("a fine day", "good"), ("a wet day", "bad")]:
        book.active.append(row)
    book.save(tmp_path / "rows.xlsx")
    assert read(str(tmp_path / "rows.xlsx"), reading=Reading(header=True)).num_rows == 1
    with pytest.raises(InvalidInput, match="delimiter cannot be chosen") as refused:
        read(str(tmp_path / "rows.xlsx"), reading=Reading(delimiter=","))
    assert "header" in refused.value.hint


@pytest.mark.parametrize("mark", ["", "ab", "x", "7", '"', "\\", "\n", "\0"])
def test_a_separator_is_one_mark(mark: str) -> None:
    with pytest.raises(ValidationError, match="one mark"):
        Reading(delimiter=mark)


@pytest.mark.parametrize(("named", "mark"), [("tab", "\t"), ("Comma", ","), ("space", " "), ("~", "~"), ("·", "·")])
def test_separators_have_names(named: str, mark: str) -> None:
    assert Reading(delimiter=named).asked == {"delimiter": mark}

import datetime as dt
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from app.data.readers import read
from app.domain.errors import DataUnreadable

ROWS: list[tuple[str, Any]] = [
    ("cold soup", 0),
    ("warm bread", 1),
    ("never again, 不會再來", 0),
    ("a lovely evening", 1),
]


def _workbook(path: Path, **sheets: list[tuple[Any, ...]]) -> str:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return str(path)


def test_a_workbook_gives_the_rows_of_its_one_sheet(tmp_path: Path) -> None:
    rows = read(_workbook(tmp_path / "rows.xlsx", reviews=[("text", "label"), *ROWS], empty=[]))
    assert rows.texts == [text for text, _ in ROWS]
    assert rows.labels == ["0", "1", "0", "1"]
    assert rows.detected.format == "xlsx"
    assert "sheet 'reviews'" in rows.detected.reasons["format"]


def test_of_several_sheets_the_one_with_text_and_label_is_taken(tmp_path: Path) -> None:
    notes = [("written on",), (dt.date(2024, 1, 1),)]
    assert read(_workbook(tmp_path / "one.xlsx", notes=notes, rows=[("text", "label"), *ROWS])).num_rows == 4
    with pytest.raises(DataUnreadable, match="rows on 2 sheets: a, b"):
        read(_workbook(tmp_path / "two.xlsx", a=[("text", "label"), *ROWS], b=[("text", "label"), *ROWS]))


def test_blank_rows_and_short_rows_of_a_workbook(tmp_path: Path) -> None:
    rows = read(_workbook(tmp_path / "rows.xlsx", s=[("text", "label"), (None, None), *ROWS, ("no label",), (None, 1)]))
    assert rows.texts[-2:] == ["no label", ""]
    assert rows.labels[-2:] == ["", "1"]


def test_a_damaged_workbook_and_one_that_is_a_bomb_are_refused(tmp_path: Path) -> None:
    path = Path(_workbook(tmp_path / "rows.xlsx", s=[("text", "label"), *ROWS]))
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"][:200]
    with zipfile.ZipFile(tmp_path / "cut.xlsx", "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)
    with pytest.raises(DataUnreadable, match="damaged workbook"):
        read(str(tmp_path / "cut.xlsx"))
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in {**parts, "xl/sharedStrings.xml": bytes(80 * 2**20)}.items():
            book.writestr(name, content)
    with pytest.raises(DataUnreadable, match="unpacks to 80 MiB"):
        read(str(tmp_path / "bomb.xlsx"))


@pytest.mark.parametrize("asked", ["b", "second sheet, really"])
def test_a_sheet_is_named_behind_the_file(tmp_path: Path, asked: str) -> None:
    other = [("text", "label"), *((f"{text}, again", label) for text, label in ROWS)]
    path = _workbook(tmp_path / "two.xlsx", a=[("text", "label"), *ROWS], **{asked: other, "empty": []})
    with pytest.raises(DataUnreadable, match="rows on 2 sheets") as caught:
        read(path)
    assert f"'{path}#a'" in caught.value.hint
    rows = read(f"{path}#{asked}")
    assert rows.texts == [f"{text}, again" for text, _ in ROWS]
    assert f"sheet '{asked}', which was asked for" in rows.detected.reasons["format"]
    with pytest.raises(DataUnreadable, match="no sheet 'c'") as caught:
        read(f"{path}#c")
    assert asked in caught.value.hint
    with pytest.raises(DataUnreadable, match="sheet 'empty' has no rows"):
        read(f"{path}#empty")


def test_a_sheet_of_what_is_no_workbook_is_refused_and_a_mark_in_a_name_is_none(tmp_path: Path) -> None:
    for name in ("rows.csv", "rows.csv#1"):
        (tmp_path / name).write_text("text,label\na,b\nc,d\n")
    assert read(str(tmp_path / "rows.csv#1")).texts == ["a", "c"]
    with pytest.raises(DataUnreadable, match=r"rows\.csv is no Excel workbook"):
        read(str(tmp_path / "rows.csv#2"))


def test_why_a_sheet_was_taken_says_how_many_rows_were_looked_at(tmp_path: Path) -> None:
    notes = [("written on",), (dt.date(2024, 1, 1),)]
    rows = read(_workbook(tmp_path / "one.xlsx", notes=notes, rows=[("text", "label"), *ROWS]))
    assert "in the first 200 rows" in rows.detected.reasons["format"]


def test_a_workbook_that_is_damaged_after_its_first_rows_is_refused_and_the_row_named(tmp_path: Path) -> None:
    path = Path(_workbook(tmp_path / "rows.xlsx", s=[("text", "label"), *ROWS * 300]))
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"]
    with zipfile.ZipFile(path, "w") as book:
        for name, content in (parts | {"xl/worksheets/sheet1.xml": sheet[: len(sheet) * 3 // 4] + b"<<<"}).items():
            book.writestr(name, content)
    with pytest.raises(DataUnreadable, match=r"damaged workbook, sheet 's' after row \d\d\d") as caught:
        read(str(path))
    assert "CSV UTF-8" in caught.value.hint


def test_a_cell_over_the_bound_is_an_unreadable_row(tmp_path: Path) -> None:
    path = _workbook(tmp_path / "rows.xlsx", s=[("text", "label"), *ROWS, ("x" * 3000, 1)])
    rows = read(path, max_row_bytes=1000)
    assert (rows.num_rows, list(rows.unreadable_numbers)) == (5, [5])

import datetime as dt
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.data import readers, sources
from app.data.readers import read
from app.data.records import Source
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


def test_of_very_many_columns_only_the_two_that_matter_are_read(tmp_path: Path) -> None:
    count = 20_000
    table = {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}
    wide = pa.table({**{f"f{n}": pa.array([1.0] * 4) for n in range(count)}, **table})
    pq.write_table(wide, tmp_path / "wide.parquet")
    rows = read(str(tmp_path / "wide.parquet"))
    assert rows.texts == table["text"]
    assert rows.detected.columns == ["text", "label"]
    assert "20,002 columns" in rows.detected.reasons["format"]
    assert read(str(tmp_path / "wide.parquet"), text_column="f7").texts == ["1"] * 4
    pq.write_table(wide.drop_columns(["text", "label"]), tmp_path / "none.parquet")
    with pytest.raises(DataUnreadable, match="none is named like a text or a label") as caught:
        read(str(tmp_path / "none.parquet"))
    assert "--text-column" in caught.value.hint


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_a_parquet_file_that_describes_a_million_columns_is_refused_within_bounds(tmp_path: Path) -> None:
    # A table of 1,000,000 columns has a description of 100 MB. Making one takes a minute and 4 GB; this one is as long.
    path = tmp_path / "million.parquet"
    columns = {"text": ["one text"], "label": ["a"]}
    pq.write_table(pa.table(columns).replace_schema_metadata({"columns": b"x" * 101_000_000}), path)
    code = (
        "from app.data.readers import read\nfrom app.domain.errors import DataUnreadable\n"
        f"try:\n    read({str(path)!r})\nexcept DataUnreadable as error:\n    print(error)\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *message, peak_kilobytes = done.stdout.splitlines()
    assert "too many columns" in message[0]
    assert "the column of texts" in message[1]
    assert int(peak_kilobytes) < 400_000


def test_a_file_that_is_written_to_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "".join(f"{text.split(',')[0]},{label}\n" for text, label in ROWS))

    def open_and_write(*args: Any) -> Source:
        opened = sources.open_source(*args)
        with path.open("a") as file:
            file.write("one more,1\n")
        return opened

    monkeypatch.setattr(readers, "open_source", open_and_write)
    with pytest.raises(DataUnreadable, match="was changed while it was read"):
        read(str(path))

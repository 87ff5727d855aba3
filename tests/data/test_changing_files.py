"""Files that change while they are read are refused, and so are those with more columns than any table has."""

import os
from pathlib import Path
from typing import Any

import pytest

from app.data import readers, sources
from app.data.readers import read
from app.data.records import Source
from app.domain.errors import DataUnreadable

ROWS = [(f"a fine day number {number} at the sea", "good" if number % 2 else "bad") for number in range(8)]


def test_a_file_with_very_many_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(",".join(["a"] * 1_000_000) + "\n" + "," * 999_999 + "\n")
    with pytest.raises(DataUnreadable, match="has 1,000,000 columns; at most 20,000"):
        read(str(path))


def test_a_file_that_is_written_to_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS))

    def open_and_write(*args: Any) -> Source:
        opened = sources.open_source(*args)
        with path.open("a") as file:
            file.write("one more,1\n")
        return opened

    monkeypatch.setattr(readers, "open_source", open_and_write)
    with pytest.raises(DataUnreadable, match="was changed while it was read"):
        read(str(path))


@pytest.mark.parametrize("what", ["written to", "removed", "added", "replaced"])
@pytest.mark.parametrize("kind", ["folder", "pattern", "texts"])
def test_files_of_a_folder_that_change_while_they_are_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, kind: str
) -> None:
    for label in ("good", "bad"):
        (tmp_path / label).mkdir()
        for place in (tmp_path / label / "1.txt", tmp_path / f"{label}.rows"):
            place.write_text("one text\nanother text\n")
    if kind == "texts":
        for label in ("good", "bad"):
            (tmp_path / f"{label}.rows").unlink()
    else:
        for label in ("good", "bad"):
            (tmp_path / label / "1.txt").unlink()
            (tmp_path / label).rmdir()
    changing = tmp_path / "good" / "1.txt" if kind == "texts" else tmp_path / "good.rows"
    source = str(tmp_path / "*.rows") if kind == "pattern" else str(tmp_path)

    def open_and_change(*args: Any) -> Source:
        opened = sources.open_source(*args)
        opened.records = iter(list(opened.records))
        if what == "written to":
            changing.write_text("one text\nanother text, longer\n")
        elif what == "removed":
            changing.unlink()
        elif what == "added":
            changing.with_name("more.rows").write_text("one more\n")
        else:
            changing.with_name(".aside").write_text(changing.read_text())
            os.utime(changing.with_name(".aside"), ns=(1, changing.stat().st_mtime_ns))
            changing.with_name(".aside").replace(changing)
        return opened

    assert read(source).num_rows > 1
    monkeypatch.setattr(readers, "open_source", open_and_change)
    with pytest.raises(DataUnreadable, match=r"was changed while it was read: .*(good|more)"):
        read(source)

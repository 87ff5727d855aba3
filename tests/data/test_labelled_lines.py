"""fastText's own format is recognised by its marks, whatever else stands in the lines."""

from pathlib import Path

import pytest

from app.data.readers import read

LINES = [f"__label__{how} text number {n}, with a comma; and more" for n in range(15) for how in ("good", "bad")]


@pytest.mark.parametrize("name", ["rows.txt", "rows.csv", "rows.tsv"])
def test_label_and_text_are_told_apart(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("\n".join(LINES) + "\n\n", encoding="utf-8")
    rows = read(str(tmp_path / name))
    assert (rows.detected.format, rows.num_rows, rows.num_unreadable) == ("fasttext", 30, 0)
    assert (rows.labels[0], rows.texts[0]) == ("good", "text number 0, with a comma; and more")
    assert set(rows.labels) == {"good", "bad"}


def test_lines_with_several_labels_or_none_are_named(tmp_path: Path) -> None:
    lines = [*LINES, "__label__good __label__bad both at once", "no label here", "__label__good"]
    (tmp_path / "rows.txt").write_text("\n".join(lines), encoding="utf-8")
    rows = read(str(tmp_path / "rows.txt"))
    assert [number for number, _ in rows.unreadable] == [31, 32]
    assert "2 labels" in rows.unreadable[0][1]
    assert "does not begin with __label__" in rows.unreadable[1][1]
    assert (rows.numbers[-1], rows.texts[-1], rows.labels[-1]) == (33, "", "good")


def test_a_text_that_only_speaks_of_the_mark_is_read_as_before(tmp_path: Path) -> None:
    rows = [f"we write __label__x here {n},{how}" for n in range(10) for how in ("a", "b")]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    assert read(str(tmp_path / "rows.csv")).detected.format == "csv"

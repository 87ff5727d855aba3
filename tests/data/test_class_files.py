import os
from pathlib import Path

import pytest

from app.data.readers import read
from app.domain.errors import DataUnreadable

GOOD, BAD = ["warm bread", "a lovely evening"], ["cold soup", "never again", "we waited"]


def _lines(folder: Path, **classes: list[str]) -> Path:
    for name, texts in classes.items():
        (folder / f"{name}.txt").write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    return folder


def _folders(folder: Path) -> Path:
    for label, texts in (("good", GOOD), ("bad", BAD)):
        (folder / label).mkdir()
        for number, text in enumerate(texts):
            (folder / label / f"{number}.txt").write_text(f"{text}\nsecond line\n", encoding="utf-8")
    return folder


def test_a_file_a_class_is_a_text_a_line(tmp_path: Path) -> None:
    rows = read(str(_lines(tmp_path, good=GOOD, bad=BAD)))
    assert list(zip(rows.texts, rows.labels, strict=True)) == [(t, "bad") for t in BAD] + [(t, "good") for t in GOOD]
    assert rows.detected.format == "class files"


def test_a_folder_a_class_is_a_text_a_file(tmp_path: Path) -> None:
    (_folders(tmp_path) / ".cache").mkdir()
    (tmp_path / ".cache" / "x").write_text("not a text")
    rows = read(str(tmp_path))
    assert rows.texts == [f"{text}\nsecond line" for text in [*BAD, *GOOD]]
    assert rows.labels == ["bad"] * 3 + ["good"] * 2


def test_the_hash_changes_with_content_and_names_alone(tmp_path: Path) -> None:
    before = read(str(_folders(tmp_path))).sha256
    os.utime(tmp_path / "good" / "0.txt", (1, 1))
    assert read(str(tmp_path)).sha256 == before
    (tmp_path / "good" / "0.txt").rename(tmp_path / "good" / "9.txt")
    assert read(str(tmp_path)).sha256 != before


def test_a_pattern_names_the_files_of_the_classes(assets: Path) -> None:
    folder = assets / "data" / "mr"
    rows = read(str(folder / "rt-polarity.*"))
    assert {label: rows.labels.count(label) for label in ("neg", "pos")} == {"neg": 5331, "pos": 5331}
    assert rows.texts == read(str(folder)).texts


@pytest.mark.parametrize("kind", ["circle", "out", "nowhere"])
def test_links_that_lead_out_or_in_a_circle_are_named(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    _folders(folder)
    outside = tmp_path / "secret.txt"
    outside.write_text("secret")
    target = {"circle": folder, "out": outside, "nowhere": tmp_path / "none"}[kind]
    (folder / "good" / "link").symlink_to(target)
    with pytest.raises(DataUnreadable, match="symbolic link") as caught:
        read(str(folder))
    assert "link" in caught.value.message


@pytest.mark.parametrize("make", ["one", "tables", "splits", "mixed", "names", "folders", "empty"])
def test_a_folder_that_is_no_set_of_classes_says_what_to_give(tmp_path: Path, make: str) -> None:
    if make == "one":
        _lines(tmp_path, good=GOOD)
    elif make == "tables":
        (tmp_path / "a.csv").write_text("text,label\n")
        (tmp_path / "b.csv").write_text("text,label\n")
    elif make == "splits":
        for split in ("train", "test"):
            (tmp_path / split).mkdir()
            (tmp_path / split / "1.txt").write_text("x")
    elif make == "mixed":
        _lines(_folders(tmp_path), other=GOOD)
    elif make == "names":
        for name in ("a.txt", "a.b", "b.b", "b.txt"):
            (tmp_path / name).write_text("a text\n")
    elif make == "folders":
        (tmp_path / "alone").mkdir()
        (tmp_path / "alone" / "1.txt").write_text("x")
    with pytest.raises(DataUnreadable) as caught:
        read(str(tmp_path))
    assert caught.value.hint


def test_an_overlong_text_is_an_unreadable_row(tmp_path: Path) -> None:
    (_folders(tmp_path) / "good" / "0.txt").write_text("x" * 3000)
    rows = read(str(tmp_path), max_row_bytes=1000)
    assert rows.num_unreadable == 1
    assert "data.max_row_bytes" in rows.unreadable[0][1]

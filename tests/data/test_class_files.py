import os
from pathlib import Path

import pytest

from app.data.class_files import as_pattern
from app.data.findings import Rules
from app.data.readers import read
from app.data.validation import validate
from app.domain.errors import DataUnreadable, InvalidInput

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
    for place in (folder / "good" / "link", folder / "link"):
        place.symlink_to(target)
        with pytest.raises(DataUnreadable, match="symbolic link") as caught:
            read(str(folder))
        assert str(place) in caught.value.message
        place.unlink()


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


@pytest.mark.parametrize("suffixes", [(".train", ".test"), (".dev", ".test", ".train")])
def test_files_that_are_named_as_splits_are_no_classes_and_the_hint_says_how_to_give_them(
    tmp_path: Path, suffixes: tuple[str, ...]
) -> None:
    for suffix in suffixes:
        (tmp_path / f"TREC{suffix}").write_text("".join(f"NUM:dist {text}\n" for text in GOOD))
    with pytest.raises(DataUnreadable, match="has splits, not classes") as caught:
        read(str(tmp_path))
    assert f"give {tmp_path / 'TREC.train'} to train on" in caught.value.hint
    assert f"--test-data {tmp_path / 'TREC.test'}" in caught.value.hint
    assert (".dev" in suffixes) == (f"--eval-data {tmp_path / 'TREC.dev'}" in caught.value.hint)


def test_the_public_set_in_two_files_is_no_set_of_two_classes(assets: Path) -> None:
    with pytest.raises(DataUnreadable, match=r"splits, not classes: TREC\.test, TREC\.train"):
        read(str(assets / "data" / "trec"))


ABOUT = ("README", "README.txt", "readme_de.txt", "LICENSE", "LICENCE.txt", "notes.md", ".DS_Store", ".gitignore")


@pytest.mark.parametrize("name", ABOUT)
@pytest.mark.parametrize("whole", [True, False])
def test_files_about_the_data_are_no_class_and_that_is_said(tmp_path: Path, name: str, whole: bool) -> None:
    before = read(str(_folders(tmp_path) if whole else _lines(tmp_path, good=GOOD, bad=BAD)))
    (tmp_path / name).write_text("About this set.\n")
    if whole:
        (tmp_path / "good" / name).write_text("About this class.\n")
    rows = read(str(tmp_path))
    assert (rows.texts, rows.labels, rows.sha256) == (before.texts, before.labels, before.sha256)
    assert f"left out: {name}" in rows.detected.reasons["format"]


def test_texts_that_are_named_like_licences_are_texts(tmp_path: Path) -> None:
    (_folders(tmp_path) / "good" / "license_17.txt").write_text("a good licence")
    assert "a good licence" in read(str(tmp_path)).texts


@pytest.mark.parametrize("content", ["", " \n", "\n\n\n"])
def test_a_file_without_text_is_a_row_without_text(tmp_path: Path, content: str) -> None:
    (_folders(tmp_path) / "good" / "5.txt").write_text(content)
    rows = read(str(tmp_path))
    assert (rows.num_rows, rows.labels[-1], rows.texts[-1].strip()) == (6, "good", "")
    (found,) = [f for f in validate(rows, Rules()).report.findings if f.code == "empty_text"]
    assert found.rows == [6]


def test_lists_beside_class_folders_and_texts_without_a_class_are_left_out(tmp_path: Path) -> None:
    before = read(str(_folders(tmp_path)))
    (tmp_path / "urls_good.txt").write_text("http://example.org\n")
    (tmp_path / "words.feat").write_text("1:1 2:1\n")
    (tmp_path / "unsup").mkdir()
    (tmp_path / "unsup" / "1.txt").write_text("nobody read this")
    rows = read(str(tmp_path))
    assert (rows.texts, rows.labels) == (before.texts, before.labels)
    assert all(name in rows.detected.reasons["format"] for name in ("urls_good.txt", "words.feat", "unsup"))


def test_folders_of_splits_with_class_folders_in_them_are_given_one_by_one(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        _folders(tmp_path / split)
    (tmp_path / "README").write_text("A set of reviews.")
    with pytest.raises(DataUnreadable, match="has splits, not classes") as caught:
        read(str(tmp_path))
    assert f"give {tmp_path / 'train'} to train on, --test-data {tmp_path / 'test'}" in caught.value.hint
    assert read(str(tmp_path / "train")).num_rows == 5


def test_several_files_are_one_source_as_a_pattern(tmp_path: Path) -> None:
    _lines(tmp_path, good=GOOD, bad=BAD, other=BAD)
    pattern = as_pattern([str(tmp_path / "good.txt"), str(tmp_path / "bad.txt")])
    assert pattern == str(tmp_path / "{good.txt,bad.txt}")
    assert read(pattern).sha256 == read(str(tmp_path / "{bad,good}.txt")).sha256
    assert set(read(pattern).labels) == {"good", "bad"}
    for label in ("good", "bad"):
        (tmp_path / f"{label} [1]").mkdir()
        (tmp_path / f"{label}.txt").rename(tmp_path / f"{label} [1]" / "rows.txt")
    apart = read(as_pattern([str(tmp_path / f"{label} [1]" / "rows.txt") for label in ("good", "bad")]))
    assert set(apart.labels) == {"good [1]", "bad [1]"}
    assert apart.texts == [*BAD, *GOOD]
    with pytest.raises(InvalidInput, match="braces or commas"):
        as_pattern(["a,b.txt", "c.txt"])
    with pytest.raises(DataUnreadable, match="does not exist"):
        read(as_pattern([str(tmp_path / "none.txt"), str(tmp_path / "other.txt")]))


def test_the_bytes_that_are_not_utf8_are_those_of_all_files(assets: Path) -> None:
    rows = read(str(assets / "data" / "mr"))
    assert rows.detected.reasons["encoding"].startswith("2 of the 2 files have 316 bytes that are not UTF-8")

import tracemalloc
from pathlib import Path

import pytest

from app.data.encoding import OVERLONG, bounded_lines, open_text, survey
from app.domain.errors import DataUnreadable


def _text(path: Path) -> str:
    with open_text(path, survey(path)) as file:
        return file.read()


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("café,1\n".encode(), "utf-8"),
        (b"\xef\xbb\xbf" + "café,1\n".encode(), "utf-8-sig"),
        ("café “quoted”,1\n".encode("cp1252"), "cp1252"),
        ("café,1\n".encode("utf-16"), "utf-16"),
        (b"caf\xe9 \x81,1\n", "latin-1"),
    ],
)
def test_the_encoding_is_found_and_its_text_read_right(tmp_path: Path, content: bytes, encoding: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    found = survey(path)
    assert found.encoding == encoding
    assert found.reason
    assert _text(path).startswith("café")


@pytest.mark.parametrize("encoding", ["cp950", "gb18030"])
def test_chinese_files_of_old_programs_are_read_as_chinese(tmp_path: Path, encoding: str) -> None:
    texts = {"cp950": "這家的東西是不是很好，我也不想再來了。", "gb18030": "这家的东西是不是很好，我也不想再来了。"}
    path = tmp_path / "rows.csv"
    path.write_bytes(f"{texts[encoding]}\n".encode(encoding) * 20)
    assert survey(path).encoding == encoding
    assert texts[encoding] in _text(path)


def test_one_damaged_byte_does_not_turn_a_utf8_file_into_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("很好吃,1\n".encode() * 50 + b"\xff,0\n")
    assert survey(path).encoding == "utf-8"
    assert _text(path).endswith("\ufffd,0\n")


def test_a_character_cut_by_the_reading_window_is_not_damage(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"a" * (1 << 20 | 1) + "好".encode() * 400_000)
    assert survey(path).errors == "strict"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty (0 bytes)"),
        (b"  \n\n\t\n", "only white space"),
        (bytes(range(256)) * 40, "binary file"),
        (b"\0" * 1000, "binary file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "is a picture (PNG), not a text file"),
        (b"\xff\xd8\xff\xe0" + bytes(64), "is a picture (JPEG)"),
        (b"PK\x03\x04rest of a workbook", "Excel workbook"),
        (b"\x1f\x8b\x08rest", "gzip"),
    ],
)
def test_what_is_no_text_is_refused_with_a_reason_and_a_way_out(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(DataUnreadable) as caught:
        survey(path)
    assert said in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_missing_file_is_answered_with_the_nearest_names(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("text,label\n")
    with pytest.raises(DataUnreadable, match="does not exist") as caught:
        survey(tmp_path / "review.csv")
    assert "reviews.csv" in caught.value.hint


def test_a_directory_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(DataUnreadable, match="is a directory"):
        survey(tmp_path)


ENGLISH = "label,text\n" + "p,the soup was warm\nn,we waited for an hour\n" * 5
CHINESE = "label,text\n" + "p,服務很好，我們還會再來\nn,菜都冷了，等了一個小時\n" * 5


@pytest.mark.parametrize("content", [ENGLISH, CHINESE])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-16", "utf-32"])
def test_wide_characters_are_read_with_and_without_a_mark(tmp_path: Path, content: str, encoding: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content.encode(encoding))
    assert _text(path) == content
    assert survey(path).encoding == encoding


@pytest.mark.parametrize("encoding", ["gb18030", "cp950"])
def test_chinese_after_a_long_english_start_is_found(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(("p,the soup was warm\n" * 100_000 + CHINESE).encode(encoding))
    assert survey(path).encoding == encoding
    assert _text(path).endswith(CHINESE)


@pytest.mark.parametrize(
    ("encoding", "lines"),
    [
        ("cp1252", ["p,un café très bon", "n,le pâté “maison”"]),
        ("gb18030", ["p,服务很好，我们还会再来的", "n,菜都冷了，等了一个小时"]),
        ("cp950", ["p,服務很好，我們還會再來的", "n,菜都冷了，等了一個小時"]),
    ],
)
def test_each_line_of_a_mixed_file_is_read_in_its_own_encoding(tmp_path: Path, encoding: str, lines: list[str]) -> None:
    path = tmp_path / "rows.csv"
    first = CHINESE * 20
    path.write_bytes(first.encode() + "".join(line + "\n" for line in lines).encode(encoding))
    found = survey(path)
    assert (found.encoding, found.other_encoding) == ("utf-8", encoding)
    assert found.other_lines == (first.count("\n") + 1, first.count("\n") + 2)
    assert _text(path) == first + "".join(line + "\n" for line in lines)


def test_lines_across_the_pieces_that_are_read_are_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    line = "é" * 1000 + "\n"
    before = (1 << 20) // len(line.encode())
    path.write_bytes(line.encode() * before + "a café, b\n".encode("cp1252") * 3 + line.encode() * 3)
    found = survey(path)
    assert found.other_lines == (before + 1, before + 2, before + 3)
    assert _text(path) == line * before + "a café, b\n" * 3 + line * 3


def test_a_link_in_a_circle_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").symlink_to(tmp_path / "rows.csv")
    with pytest.raises(DataUnreadable, match="in a circle"):
        survey(tmp_path / "rows.csv")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_over_the_bound_is_replaced_and_its_neighbours_stay(tmp_path: Path, end: str) -> None:
    path = tmp_path / "rows.txt"
    path.write_bytes(end.join(["one", "x" * 200, "two", "é" * 60, "é" * 40, ""]).encode())
    with open_text(path, survey(path)) as file:
        lines = [line.rstrip("\r\n") for line in bounded_lines(file, 100) if line.strip()]
    assert lines == ["one", OVERLONG, "two", OVERLONG, "é" * 40]


def test_a_line_of_64_megabytes_is_never_held_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with path.open("wb") as file:
        file.write(b"good,1\n")
        for _ in range(64):
            file.write(b"x" * 1_000_000)
        file.write(b",0\nbad,0\n")
    tracemalloc.start()
    try:
        with open_text(path, survey(path)) as text:
            lines = list(bounded_lines(text, 1_000_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert lines == ["good,1\n", OVERLONG + "\n", "bad,0\n"]
    assert peak < 12_000_000

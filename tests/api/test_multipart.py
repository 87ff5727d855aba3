"""Forms with files, piece by piece as the network gives them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.api.multipart import MAX_FIELD_BYTES, MAX_FIELDS, Fields, read_form
from app.domain.errors import InvalidInput, StorageError

CONTENT_TYPE = 'multipart/form-data; boundary="b0undary"'
FILE = b"text,label\r\n--b0undar\r\n\r\n--\r\nwords,\xff\xfe\r\n" * 50


class Kept:
    """A sink that keeps everything; `fails` at its first byte."""

    def __init__(self, fails: bool = False) -> None:
        self.content, self.state, self.fails = b"", "open", fails

    def write(self, piece: bytes) -> None:
        if self.fails:
            raise StorageError("the disk is full", code="storage.full")
        self.content += piece

    def close(self) -> None:
        self.state = "closed"

    def abandon(self) -> None:
        self.state = "abandoned"


class Opened(dict[tuple[str, str], Kept]):
    """The sinks of a form by field and file name."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.fails = fails
        self.before: dict[str, Fields] = {}

    def __call__(self, field: str, name: str, before: Fields) -> Kept:
        self.before[field] = {key: list(values) for key, values in before.items()}
        self[field, name] = Kept(self.fails)
        return self[field, name]


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    named = f'; filename="{filename}"' if filename is not None else ""
    return f'--b0undary\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"


def read(body: bytes, opened: Opened, size: int = 4096, content_type: str = CONTENT_TYPE) -> Fields:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    return asyncio.run(read_form(content_type, pieces(), ("file", "eval_file"), opened))


WHOLE = (
    part("name", "評論".encode())
    + part("allow", b"duplicate")
    + part("file", FILE, "評論.csv")
    + part("allow", b"leakage")
    + part("eval_file", b"", "empty.csv")
    + b"--b0undary--\r\n"
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100_000])
def test_a_form_is_read_alike_in_pieces_of_any_size(size: int) -> None:
    opened = Opened()
    assert read(WHOLE, opened, size) == {"name": ["評論"], "allow": ["duplicate", "leakage"]}
    assert {key: (sink.content, sink.state) for key, sink in opened.items()} == {
        ("file", "評論.csv"): (FILE, "closed"),
        ("eval_file", "empty.csv"): (b"", "closed"),
    }
    assert opened.before["file"] == {"name": ["評論"], "allow": ["duplicate"]}


@pytest.mark.parametrize("cut", [10, 60, 200, 1500, len(WHOLE) - 5])
def test_a_form_that_ends_early_is_refused_and_its_open_file_abandoned(cut: int) -> None:
    opened = Opened()
    with pytest.raises(InvalidInput) as caught:
        read(WHOLE[:cut], opened)
    assert caught.value.code == "upload.malformed"
    assert [sink.state for sink in opened.values() if sink.state == "open"] == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (part("avatar", FILE, "me.png"), "'avatar' is no file of this form"),
        (part("file", FILE, "a.csv") + part("file", FILE, "b.csv"), "twice"),
        (part("name", b"\xff\xfe"), "not UTF-8"),
        (part("", b"x"), "no name"),
        (part("n" * 101, b"x"), "no name of 1 to 100 characters"),
        (part("name", b"x" * (MAX_FIELD_BYTES + 1)), "longer than"),
        (part("name", b"x") * (MAX_FIELDS + 1), "more than 300 fields"),
        (b"--b0undary\r\nno colon\r\n\r\n", "cannot be read"),
        (b"this is no form", "cannot be read"),
    ],
)
def test_what_a_form_may_not_have_is_named(body: bytes, reason: str) -> None:
    opened = Opened()
    with pytest.raises(InvalidInput, match=reason):
        read(body + b"--b0undary--\r\n", opened)
    assert all(sink.state != "open" for sink in opened.values())


@pytest.mark.parametrize(
    "content_type",
    ["", "text/csv", "multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=b"],
)
def test_another_kind_of_body_is_no_form(content_type: str) -> None:
    with pytest.raises(InvalidInput, match="no form with files"):
        read(WHOLE, Opened(), content_type=content_type)


def test_what_cannot_be_kept_of_a_file_is_passed_on() -> None:
    opened = Opened(fails=True)
    with pytest.raises(StorageError):
        read(WHOLE, opened)
    assert opened["file", "評論.csv"].state == "abandoned"

"""Bytes -> lines of text: is the file there, is it text, in which encoding; no line is held beyond a bound.

What the lines mean (columns, quotes, header) belongs to `detection.py`.
"""

import difflib
import hashlib
import io
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, TypeVar, cast

from app.data.encoding_choice import CHUNK_BYTES, Tally, choose_encoding, is_utf8, wide_encoding, with_mark
from app.domain.data_reading import ASKED, AUTO
from app.domain.data_report import MAX_ROWS_NAMED
from app.domain.errors import DataUnreadable
from app.domain.wording import say

Item = TypeVar("Item")
OVERLONG = "\ufdd0"
"""A Unicode noncharacter, standing for a line too long to hold."""

_HARMLESS = frozenset(b"\x01\t\n\v\f\r\x1a\x1b\x1c\x1d\x1e\x1f")
"""Control characters that text files have, separators among them."""

_MAGIC = {
    b"PK\x03\x04": (say("a zip archive or an Excel workbook"), say("give it by itself")),
    b"\x1f\x8b": (say("gzip-compressed"), say("give it by itself, or unpack it first: gunzip FILE")),
    b"\xd0\xcf\x11\xe0": (say("an old Excel workbook"), say("save the sheet as CSV UTF-8")),
    b"%PDF": (say("a PDF document"), say("give a file with one row for each example")),
    b"\x89PNG": (say("a picture (PNG)"), say("give a file with one row for each example")),
    b"\xff\xd8\xff": (say("a picture (JPEG)"), say("give a file with one row for each example")),
    b"GIF89a": (say("a picture (GIF)"), say("give a file with one row for each example")),
}


@dataclass(frozen=True)
class Survey:
    """What one pass over a file's bytes tells; `errors` as for `bytes.decode`, `num_bad` bytes are not UTF-8.

    `other_encoding` is that of the lines that are not in `encoding`, where there are such; `other_lines` are the first
    hundred of them, from 1.
    """

    sha256: str
    encoding: str
    errors: str
    reason: str
    has_quotes: bool
    num_bad: int = 0
    other_encoding: str | None = None
    other_lines: tuple[int, ...] = ()


def _nearest_files(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"the folder {path.parent} does not exist either" if not path.parent.exists() else ""
    near = difflib.get_close_matches(path.name, names, n=3)
    return f"did you mean {', '.join(near)}?" if near else "check the path; relative paths start at the current folder"


def check_readable(path: Path, *, may_be_empty: bool = False) -> None:
    """Raise DataUnreadable where `path` is not a file that can be opened and has content."""
    if path.is_dir():
        raise DataUnreadable(say("{path} is a directory, not a data file", path=path), hint="give one of its files")
    if path.is_symlink() and not path.exists():
        raise DataUnreadable(
            say("{path} is a symbolic link that leads nowhere or in a circle", path=path), hint="give the file itself"
        )
    if not path.exists():
        raise DataUnreadable(say("{path} does not exist", path=path), hint=_nearest_files(path))
    if not path.is_file():
        raise DataUnreadable(say("{path} is not a regular file", path=path), hint="save the rows to a file first")
    if path.stat().st_size == 0 and not may_be_empty:
        raise DataUnreadable(
            say("{path} is empty (0 bytes)", path=path), hint="write one row for each example, text and label"
        )


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_is_text(path: Path, head: bytes, encoding: str = AUTO) -> None:
    for magic, (what, hint) in _MAGIC.items():
        if head.startswith(magic):
            raise DataUnreadable(say("{path} is {what}, not a text file", path=path, what=what), hint=hint)
    if wide_encoding(head) is not None or encoding == "utf-16":
        return
    sample = head[:65536]
    control = sum(sample.count(byte) for byte in range(32) if byte not in _HARMLESS)
    if control > len(sample) // 100 or (control and len(sample) < 100):
        raise DataUnreadable(
            say(
                "{path} is a binary file: {control} of its first {sample} bytes are control characters",
                path=path,
                control=control,
                sample=len(sample),
            ),
            hint="known formats are csv, tsv, jsonl, json, parquet, xlsx and text files with one separator, "
            "also in zip and gzip",
        )


def survey(path: Path, *, may_be_blank: bool = False, encoding: str = AUTO) -> Survey:
    """Read `path` once in pieces: its sha256, whether it is text, and in which encoding where none is given.

    DataUnreadable where it is no text, or a blank one, unless it `may_be_blank`.
    """
    check_readable(path, may_be_empty=may_be_blank)
    digest = hashlib.sha256()
    head, num_bytes, tally = b"", 0, Tally()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                if not head:
                    head = chunk
                    _check_is_text(path, head, encoding)
                num_bytes += len(chunk)
                tally.add(chunk)
            tally.add(b"", final=True)
    except OSError as error:
        raise DataUnreadable(
            say("cannot read {path}: {strerror}", path=path, strerror=error.strerror or error),
            hint="check its owner and permissions",
        ) from error
    if not head.strip() and num_bytes == len(head) and not may_be_blank:
        raise DataUnreadable(
            say("{path} has only white space", path=path), hint="write one row for each example, text and label"
        )
    if encoding != AUTO:
        return Survey(digest.hexdigest(), with_mark(encoding, head), "replace", ASKED, tally.has_quotes, tally.num_bad)
    encoding, errors, reason, other = choose_encoding(head, tally)
    other_lines = tuple(tally.bad_numbers[:MAX_ROWS_NAMED]) if other else ()
    return Survey(digest.hexdigest(), encoding, errors, reason, tally.has_quotes, tally.num_bad, other, other_lines)


class OtherLines:
    """Says of rows, while they are made of lines one by one, which have a line in another encoding than the file."""

    def __init__(self) -> None:
        self.rows = array("q")
        """Their numbers, from 1."""
        self.is_pending = False
        """A line was read that no row has been made of yet."""

    def noting(self, rows: Iterable[Item]) -> Iterator[Item]:
        """The rows as they are, from the first, with their numbers noted."""
        for number, row in enumerate(rows, 1):
            if self.is_pending:
                self.rows.append(number)
                self.is_pending = False
            yield row


class _MixedText(io.TextIOBase):
    """Lines of which each is in UTF-8 or, where it is not, in another encoding."""

    def __init__(self, path: Path, other: str, others: OtherLines | None) -> None:
        self._file = path.open("rb")
        self._other, self._others = other, others
        self._rest = ""

    def readline(self, size: int = -1) -> str:  # type: ignore[override]
        """The next line, or at most `size` characters of it; longer ones are decoded in pieces."""
        if not self._rest:
            line = self._file.readline(4 * size if size >= 0 else -1)
            if is_utf8(line):
                self._rest = line.decode()
            else:
                self._rest = line.decode(self._other, "replace")
                if self._others is not None:
                    self._others.is_pending = True
        end = len(self._rest) if size < 0 else size
        piece, self._rest = self._rest[:end], self._rest[end:]
        return piece

    def read(self, size: int | None = -1) -> str:
        """At most `size` characters of the line at hand; all lines where it is negative or None."""
        if size is not None and size >= 0:
            return self.readline(size)
        return "".join(iter(self.readline, ""))

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def open_text(path: Path, found: Survey, others: OtherLines | None = None) -> TextIO:
    """Open `path` as it was surveyed; line ends stay as they are; `others` hears of lines in another encoding."""
    if found.other_encoding is not None:
        return cast(TextIO, _MixedText(path, found.other_encoding, others))
    return path.open(encoding=found.encoding, errors=found.errors, newline="")


def read_start(file: TextIO, num_chars: int) -> str:
    """The first characters of `file`, as many as asked for where it has them, whatever a single read gives."""
    start = ""
    while len(start) < num_chars and (piece := file.read(num_chars - len(start))):
        start += piece
    return start


def bounded_lines(file: TextIO, max_row_bytes: int) -> Iterator[str]:
    """Yield the lines of `file` with their line ends; one longer than `max_row_bytes` becomes `OVERLONG`."""
    readline = file.readline
    limit = max_row_bytes + 1
    while line := readline(limit):
        if len(line) * 4 <= max_row_bytes:
            yield line
        elif len(line) == limit and not line.endswith(("\r", "\n")):
            del line
            while (rest := readline(65536)) and not rest.endswith(("\r", "\n")):
                pass
            yield OVERLONG + "\n"
        else:
            yield line if len(line.encode("utf-8", "replace")) <= limit else OVERLONG + "\n"

"""Bytes -> lines of text: is the file there, is it text, in which encoding; no line is held beyond a bound.

What the lines mean (columns, quotes, header) belongs to `detection.py`.
"""

import codecs
import difflib
import hashlib
import io
import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, TypeVar, cast

from app.domain.data_reading import ASKED, AUTO
from app.domain.data_report import MAX_ROWS_NAMED
from app.domain.errors import DataUnreadable
from app.domain.wording import say, words

Item = TypeVar("Item")
CHUNK_BYTES = 1 << 20
OVERLONG = "\ufdd0"
"""A Unicode noncharacter, standing for a line too long to hold."""

_WIDE_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_MAX_LINE = 1 << 16
MIN_SHARE_IN_WORDS = 0.8
_HIGH = re.compile(rb"[\x80-\xff]")
_HIGH_IN_WORD = re.compile(rb"(?<=[A-Za-z])[\x80-\xff]|[\x80-\xff](?=[A-Za-z])")
_HIGH_RUN = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe](?=[\x81-\xfe])")
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_CP1252_HOLES = frozenset(b"\x81\x8d\x8f\x90\x9d")
_HARMLESS = frozenset(b"\x01\t\n\v\f\r\x1a\x1b\x1c\x1d\x1e\x1f")
"""Control characters that text files have, separators among them."""

_COMMON_CHINESE = frozenset("的一是不了我有在人這这很好也就,，。")
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


def _wide_encoding(head: bytes) -> tuple[str, str] | None:
    """UTF-16 or UTF-32 with the reason, by its mark or, without one, by how the text reads; None for anything else."""
    for mark, encoding, name in _WIDE_MARKS:
        if head.startswith(mark):
            return encoding, say("it starts with the byte order mark of {name}", name=name)
    sample = head[: 1 << 16]
    if b"\0" not in sample:
        return None
    for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        text = codecs.getincrementaldecoder(encoding)("replace").decode(sample)
        odd = sum(unicodedata.category(char) in ("Cc", "Cn", "Co", "Cs") and char not in "\t\n\r" for char in text)
        if text and "\ufffd" not in text and "\n" in text and odd <= len(text) // 1000:
            return encoding, say(
                "it has no byte order mark, and reads as text in {encoding}", encoding=encoding.upper()
            )
    return None


def _with_mark(encoding: str, head: bytes) -> str:
    """The encoding that was asked for, as the file has it: with its byte order mark, or without."""
    if encoding == "utf-8":
        return "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else encoding
    if encoding == "utf-16" and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        found = _wide_encoding(head)
        return found[0] if found is not None else "utf-16-le"
    return encoding


def _check_is_text(path: Path, head: bytes, encoding: str = AUTO) -> None:
    for magic, (what, hint) in _MAGIC.items():
        if head.startswith(magic):
            raise DataUnreadable(say("{path} is {what}, not a text file", path=path, what=what), hint=hint)
    if _wide_encoding(head) is not None or encoding == "utf-16":
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


def _chinese_encoding(sample: bytes) -> str | None:
    """The legacy Chinese encoding under which `sample` reads as everyday Chinese, or None.

    Both families decode most byte pairs; only the right one yields the characters that fill every Chinese text, and
    hardly ever a letter of another kind.
    """
    scores = {}
    for encoding in ("cp950", "gb18030"):
        text = sample.decode(encoding, "replace")
        if text.count("\ufffd") <= len(text) // 200:
            wide = [c for c in text if ord(c) > 127]
            scores[encoding] = sum(c in _COMMON_CHINESE for c in wide) / max(1, len(wide))
    best = max(scores, key=lambda name: scores[name], default=None)
    return best if best is not None and scores[best] > 0.05 else None


def _legacy_encoding(num_bad: int, holes: bool, bad_lines: bytes) -> tuple[str, str]:
    start = say("1 byte is not UTF-8" if num_bad == 1 else "{count:,} bytes are not UTF-8", count=num_bad)
    pairs = len(_HIGH_RUN.findall(bad_lines)) >= max(1, len(_HIGH.findall(bad_lines)) // 4)
    if pairs and (chinese := _chinese_encoding(bad_lines)):
        return chinese, say("{bytes}, and they read as Chinese in {encoding}", bytes=start, encoding=chinese)
    if holes:
        nothing = words("{bytes}, and some mean nothing in Windows-1252 either, so it is read as latin-1")
        return "latin-1", say(nothing, bytes=start)
    return "cp1252", say("{bytes}, so it is read as Windows-1252 (cp1252)", bytes=start)


@dataclass
class _Tally:
    """What is counted while a file's bytes go by; `bad_lines` are lines that are not UTF-8, for a closer look."""

    num_bad: int = 0
    num_wide: int = 0
    holes: bool = False
    has_quotes: bool = False
    bad_lines: bytearray = field(default_factory=bytearray)
    bad_numbers: list[int] = field(default_factory=list)
    num_lines: int = 0
    _decoder: Any = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("surrogateescape"))
    _rest: bytes = b""

    def add(self, chunk: bytes, *, final: bool = False) -> None:
        """Count `chunk`, which goes on where the last one ended."""
        self.has_quotes = self.has_quotes or b'"' in chunk
        text = self._decoder.decode(chunk, final)
        bad = 0
        if not text.isascii():
            bad = len(_UNDECODABLE.findall(text))
            self.num_bad += bad
            self.num_wide += max(0, len(chunk) - len(text))
            self.holes = self.holes or bool(bad and _CP1252_HOLES & set(chunk))
        if bad and len(self.bad_lines) < CHUNK_BYTES:
            self._look_at_lines(self._rest + chunk)
        self.num_lines += chunk.count(b"\n")
        self._rest = chunk[chunk.rfind(b"\n") + 1 :][-_MAX_LINE:]

    def _look_at_lines(self, chunk: bytes) -> None:
        for number, line in enumerate(chunk.split(b"\n"), self.num_lines + 1):
            if not line.isascii() and not _is_utf8(line):
                self.bad_lines += line[:_MAX_LINE] + b"\n"
                self.bad_numbers.append(number)
                if len(self.bad_lines) >= CHUNK_BYTES:
                    return


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _choose_encoding(head: bytes, tally: _Tally) -> tuple[str, str, str, str | None]:
    """Encoding, errors as for `bytes.decode`, reason, and the encoding of the lines that are not in the first."""
    if wide := _wide_encoding(head):
        return wide[0], "replace", wide[1], None
    mark = head.startswith(codecs.BOM_UTF8)
    if tally.num_bad == 0:
        if mark:
            return "utf-8-sig", "strict", say("it starts with the byte order mark of {name}", name="UTF-8"), None
        return "utf-8", "strict", say("every byte of it is valid UTF-8"), None
    is_mixed = mark or tally.num_wide > tally.num_bad
    holes = bool(_CP1252_HOLES & set(tally.bad_lines)) if is_mixed else tally.holes
    other, reason = _legacy_encoding(tally.num_bad, holes, bytes(tally.bad_lines))
    if not is_mixed:
        return other, "replace", reason, None
    if other in ("cp950", "gb18030") or not _is_damage(bytes(tally.bad_lines)):
        lines = ", ".join(map(str, tally.bad_numbers[:5])) + (", ..." if len(tally.bad_numbers) > 5 else "")
        mixed = say("it is UTF-8, but for lines in {encoding}, read so: {lines}", encoding=other, lines=lines)
        return "utf-8", "replace", mixed, other
    damaged = say("it is UTF-8 but for damaged bytes ({count:,}), shown as U+FFFD", count=tally.num_bad)
    return "utf-8", "replace", damaged, None


def _is_damage(bad_lines: bytes) -> bool:
    """Whether lines are damaged UTF-8 rather than Windows-1252, whose letters beyond ASCII stand in words of ASCII."""
    if any(ord(char) > 127 and char != "\ufffd" for char in bad_lines.decode(errors="replace")):
        return True
    return len(_HIGH_IN_WORD.findall(bad_lines)) < MIN_SHARE_IN_WORDS * len(_HIGH.findall(bad_lines))


def survey(path: Path, *, may_be_blank: bool = False, encoding: str = AUTO) -> Survey:
    """Read `path` once in pieces: its sha256, whether it is text, and in which encoding where none is given.

    DataUnreadable where it is no text, or a blank one, unless it `may_be_blank`.
    """
    check_readable(path, may_be_empty=may_be_blank)
    digest = hashlib.sha256()
    head, num_bytes, tally = b"", 0, _Tally()
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
        return Survey(digest.hexdigest(), _with_mark(encoding, head), "replace", ASKED, tally.has_quotes, tally.num_bad)
    encoding, errors, reason, other = _choose_encoding(head, tally)
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
            if _is_utf8(line):
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

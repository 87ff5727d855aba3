"""Bytes -> lines of text: is the file there, is it text, in which encoding; no line is held beyond a bound.

What the lines mean (columns, quotes, header) belongs to `detection.py`.
"""

import codecs
import difflib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from app.domain.errors import DataUnreadable

CHUNK_BYTES = 1 << 20
OVERLONG = "\ufdd0"
"""A Unicode noncharacter, standing for a line too long to hold."""

_UNDECODABLE = re.compile("[\udc80-\udcff]")
_CP1252_HOLES = frozenset(b"\x81\x8d\x8f\x90\x9d")
_HARMLESS = frozenset(b"\x01\t\n\v\f\r\x1a\x1b\x1c\x1d\x1e\x1f")
"""Control characters that text files have, separators among them."""

_COMMON_CHINESE = frozenset("的一是不了我有在人這这很好也就,，。")
_MAGIC = {
    b"PK\x03\x04": ("a zip archive or an Excel workbook", "unpack it, or save the sheet as CSV UTF-8"),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "save the sheet as CSV UTF-8"),
    b"\x1f\x8b": ("gzip-compressed", "unpack it first: gunzip FILE"),
    b"%PDF": ("a PDF document", "give a file with one row for each example"),
}


@dataclass(frozen=True)
class Survey:
    """What one pass over a file's bytes tells; `errors` as for `bytes.decode`."""

    sha256: str
    encoding: str
    errors: str
    reason: str
    has_quotes: bool


def _nearest_files(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"the folder {path.parent} does not exist either" if not path.parent.exists() else ""
    near = difflib.get_close_matches(path.name, names, n=3)
    return f"did you mean {', '.join(near)}?" if near else "check the path; relative paths start at the current folder"


def check_readable(path: Path) -> None:
    """Raise DataUnreadable where `path` is not a file that can be opened and has content."""
    if path.is_dir():
        names = sorted(entry.name for entry in path.iterdir() if entry.is_file())[:5]
        inside = f"give one of its files: {', '.join(names)}" if names else "give a file"
        raise DataUnreadable(f"{path} is a directory, not a data file", hint=inside)
    if not path.exists():
        raise DataUnreadable(f"{path} does not exist", hint=_nearest_files(path))
    if not path.is_file():
        raise DataUnreadable(f"{path} is not a regular file", hint="save the rows to a file first")
    if path.stat().st_size == 0:
        raise DataUnreadable(f"{path} is empty (0 bytes)", hint="write one row for each example, text and label")


def _check_is_text(path: Path, head: bytes) -> None:
    for magic, (what, hint) in _MAGIC.items():
        if head.startswith(magic):
            raise DataUnreadable(f"{path} is {what}, not a text file", hint=hint)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return
    sample = head[:65536]
    control = sum(sample.count(byte) for byte in range(32) if byte not in _HARMLESS)
    if control > len(sample) // 100 or (control and len(sample) < 100):
        raise DataUnreadable(
            f"{path} is a binary file: {control} of its first {len(sample)} bytes are control characters",
            hint="known formats are csv, tsv, jsonl, json, parquet and text files with one separator",
        )


def _chinese_encoding(sample: bytes) -> str | None:
    """The legacy Chinese encoding under which `sample` reads as everyday Chinese, or None.

    Both families decode most byte pairs; only the right one yields the characters that fill every Chinese text.
    """
    scores = {}
    for encoding in ("cp950", "gb18030"):
        text = sample.decode(encoding, "replace")
        if text.count("\ufffd") <= len(text) // 200:
            wide = [c for c in text if ord(c) > 127]
            scores[encoding] = sum(c in _COMMON_CHINESE for c in wide) / max(1, len(wide))
    best = max(scores, key=lambda name: scores[name], default=None)
    return best if best is not None and scores[best] > 0.05 else None


def _legacy_encoding(num_bytes: int, num_bad: int, holes: bool, sample: bytes) -> tuple[str, str]:
    start = "1 byte is not UTF-8" if num_bad == 1 else f"{num_bad:,} bytes are not UTF-8"
    if num_bad > num_bytes // 10 and (chinese := _chinese_encoding(sample)):
        return chinese, f"{start}, and the file reads as Chinese in {chinese}"
    if holes:
        return "latin-1", f"{start}, and some mean nothing in Windows-1252 either, so it is read as latin-1"
    return "cp1252", f"{start}, so it is read as Windows-1252 (cp1252)"


def _choose_encoding(head: bytes, num_bytes: int, num_bad: int, num_wide: int, holes: bool) -> tuple[str, str, str]:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", "replace", "it starts with the byte order mark of UTF-16"
    if num_bad == 0:
        if head.startswith(codecs.BOM_UTF8):
            return "utf-8-sig", "strict", "it starts with the byte order mark of UTF-8"
        return "utf-8", "strict", "every byte of it is valid UTF-8"
    if num_wide > num_bad:
        return "utf-8", "replace", f"it is UTF-8 but for damaged bytes ({num_bad:,}), shown as U+FFFD"
    encoding, reason = _legacy_encoding(num_bytes, num_bad, holes, head)
    return encoding, "replace", reason


def survey(path: Path) -> Survey:
    """Read `path` once in pieces: its sha256, whether it is text, and in which encoding."""
    check_readable(path)
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    head, num_bytes, num_bad, num_wide, holes, quotes = b"", 0, 0, 0, False, False
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                if not head:
                    head = chunk
                    _check_is_text(path, head)
                num_bytes += len(chunk)
                quotes = quotes or b'"' in chunk
                text = decoder.decode(chunk)
                if not text.isascii():
                    bad = len(_UNDECODABLE.findall(text))
                    num_bad += bad
                    num_wide += len(chunk) - len(text)
                    holes = holes or bool(bad and _CP1252_HOLES & set(chunk))
            num_bad += len(_UNDECODABLE.findall(decoder.decode(b"", final=True)))
    except OSError as error:
        raise DataUnreadable(
            f"cannot read {path}: {error.strerror or error}", hint="check its owner and permissions"
        ) from error
    if not head.strip() and num_bytes == len(head):
        raise DataUnreadable(f"{path} has only white space", hint="write one row for each example, text and label")
    encoding, errors, reason = _choose_encoding(head, num_bytes, num_bad, num_wide, holes)
    return Survey(digest.hexdigest(), encoding, errors, reason, quotes)


def open_text(path: Path, found: Survey) -> TextIO:
    """Open `path` as it was surveyed; line ends stay as they are."""
    return path.open(encoding=found.encoding, errors=found.errors, newline="")


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

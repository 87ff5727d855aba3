"""In which encoding a text file is, by its bytes: byte order marks, what is valid, and how the rest of it reads.

Reading the file is for `encoding.py`.
"""

import codecs
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from app.domain.wording import say, words

CHUNK_BYTES = 1 << 20
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
_COMMON_CHINESE = frozenset("的一是不了我有在人這这很好也就,，。")


def wide_encoding(head: bytes) -> tuple[str, str] | None:
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


def with_mark(encoding: str, head: bytes) -> str:
    """The encoding that was asked for, as the file has it: with its byte order mark, or without."""
    if encoding == "utf-8":
        return "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else encoding
    if encoding == "utf-16" and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        found = wide_encoding(head)
        return found[0] if found is not None else "utf-16-le"
    return encoding


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
class Tally:
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
            if not line.isascii() and not is_utf8(line):
                self.bad_lines += line[:_MAX_LINE] + b"\n"
                self.bad_numbers.append(number)
                if len(self.bad_lines) >= CHUNK_BYTES:
                    return


def is_utf8(line: bytes) -> bool:
    """Whether bytes are valid UTF-8."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def choose_encoding(head: bytes, tally: Tally) -> tuple[str, str, str, str | None]:
    """Encoding, errors as for `bytes.decode`, reason, and the encoding of the lines that are not in the first."""
    if wide := wide_encoding(head):
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

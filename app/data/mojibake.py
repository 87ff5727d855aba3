"""UTF-8 that was read as Windows-1252 or latin-1: found by evidence, and read again.

Each byte of a UTF-8 sequence became a character of its own, so `’` shows as `â€™`. Such sequences are looked for
character by character. One that ordinary typography writes too (a letter and its closing mark: `KYLLÄ…`, `raté…”`) is
no evidence: it is read again only beside one that nobody writes (`Ã©`, `â€™`, a capital inside a word).
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple


def _shown(byte: int) -> str:
    """The character as which a byte shows in Windows-1252, in latin-1 where that has none."""
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


_BYTE_OF = {_shown(byte): byte for byte in range(0x80, 0x100)} | {chr(byte): byte for byte in range(0x80, 0x100)}
_TAIL = "[" + "".join(re.escape(c) for c, byte in _BYTE_OF.items() if byte < 0xC0) + "]"
_LATIN = frozenset(map(chr, range(0xC2, 0xC6)))
"""What begins the letters of most Latin alphabets and the marks of latin-1; others are believed in rows alone."""

_LEADS = range(0xC2, 0xDF)
_TWO = "[" + "".join(map(chr, _LEADS)) + "]" + _TAIL
_THREE = "[" + "".join(map(chr, range(0xE0, 0xF0))) + "]" + _TAIL * 2
_FOUR = "ð" + _TAIL * 3
_SEQUENCE = re.compile(f"{_TWO}|{_THREE}|{_FOUR}")

_CLOSING = frozenset("\u00a0\u00ad…–—’‘“”»«›‹™®©°´¨·•†‡¹²³±")
"""What stands directly behind a letter in sound texts."""

_JOINING = frozenset("…–—’‘“”»«›‹")
"""Behind these another sentence may open at once: `sé…¿y`, `là—„so`."""

_OPENING = frozenset("¿¡„‚")
_ENDING = frozenset("™®©°¨†‡¹²³±")
"""Behind these a word never goes on."""

_QUOTES = frozenset("“”‘»«›‹")
_CLOSED = "»›"
_NO_WORDS = frozenset("ÃÂ")
"""Letters that are no words of their own, and never the first of one before a mark."""


class _Run(NamedTuple):
    """Sequences without a gap, from `start` to `end` of the text, and the characters they were."""

    start: int
    end: int
    chars: str


def repair(text: str) -> str:
    """`text` with such sequences as the characters they were; itself where there is no evidence of any."""
    if text.isascii() or _SEQUENCE.search(text) is None:
        return text
    runs = _runs(text)
    is_whole = sum(run.end - run.start for run in runs) == sum(char > "\x7f" for char in text)
    if not is_whole:
        runs = [run for run in runs if _is_evidence(text, run)]
    else:
        is_unopened = sum(map(text.count, _CLOSED)) > sum(map(text.count, "«‹"))
        if not any(_is_evidence(text, run) or _is_evidence_in_whole(text, run, is_unopened) for run in runs):
            return text
    parts, at = [], 0
    for start, end, chars in runs:
        parts += [text[at:start], chars]
        at = end
    return "".join(parts) + text[at:]


def _runs(text: str) -> list[_Run]:
    runs: list[_Run] = []
    for match in _SEQUENCE.finditer(text):
        try:
            char = bytes(_BYTE_OF[c] for c in match[0]).decode("utf-8")
        except UnicodeDecodeError:
            continue
        if unicodedata.category(char) in ("Cc", "Cn", "Co"):
            continue
        if runs and runs[-1].end == match.start():
            runs[-1] = _Run(runs[-1].start, match.end(), runs[-1].chars + char)
        else:
            runs.append(_Run(match.start(), match.end(), char))
    return runs


def _sequences(text: str, run: _Run) -> Iterator[tuple[str, str, str]]:
    """The first character, the others and what follows (two characters at most) of each sequence of a run."""
    at = run.start
    for char in run.chars:
        end = at + len(char.encode())
        yield text[at], text[at + 1 : end], text[end : end + 2]
        at = end


def _is_evidence(text: str, run: _Run) -> bool:
    """Whether nobody writes a run, whatever else the text has."""
    before, after = text[max(0, run.start - 1) : run.start], text[run.end : run.end + 1]
    if text[run.start].isupper() and before.islower():
        return True
    if text[run.start] in _NO_WORDS and not before.isalpha() and after.isalpha():
        return True
    for lead, tails, following in _sequences(text, run):
        if any(tail < "\u00a0" for tail in tails):
            return True  # control characters
        believed = len(run.chars) > 1 or len(tails) > 1 or lead in _LATIN
        if believed and not (_is_typography(lead, tails) and not _goes_on(tails, following)):
            return True
    return False


def _is_evidence_in_whole(text: str, run: _Run, is_unopened: bool) -> bool:
    """Whether nobody writes a run in a text that has nothing beyond ASCII outside of runs, so hardly an opening quote.

    `is_unopened`: more guillemets close than open.
    """
    before = text[max(0, run.start - 1) : run.start]
    if text[run.start] in _NO_WORDS and not before.isalpha():
        return True
    for lead, tails, following in _sequences(text, run):
        if not following[:1].isalpha():
            continue
        if lead in _LATIN and (tails in _QUOTES or (tails == "´" and following.isalpha())):
            return True
        if is_unopened and len(tails) > 1 and tails[0] in _CLOSED and "\u00a0" not in tails:
            return True
    return False


def _goes_on(tails: str, following: str) -> bool:
    """Whether a word goes on at once behind marks that end one."""
    if not following[:1].isalpha() or "\u00a0" in tails:
        return False
    return tails[-1] in _ENDING or (tails[-1] == "\u00ad" and following[0].islower())


def _is_typography(lead: str, tails: str) -> bool:
    """Whether marks in this order stand behind a letter in sound texts; behind a hard space anything may."""
    before = lead
    for tail in tails:
        follows = (
            tail in _CLOSING
            or before == "\u00a0"
            or (before in _JOINING and tail in _OPENING)
            or (before in "áäéí" and tail in "šžŠŽ")  # letters of Czech and Slovak: víš…
        )
        if not follows:
            return False
        before = tail
    return True

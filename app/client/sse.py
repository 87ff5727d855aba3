"""Server-sent events (WHATWG HTML, section 9.2.6): bytes of a stream as events."""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.domain.errors import ServiceUnavailable

MAX_LINE_CHARACTERS = 4_000_000
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class ServerEvent:
    """One event; `id` is that of the newest event that had one, `retry_seconds` what the server asks for."""

    name: str
    data: str
    id: str | None
    retry_seconds: float | None = None


def read_events(pieces: Iterable[bytes], last_id: str | None = None) -> Iterator[ServerEvent]:
    """The events of a stream; one that is cut off before its blank line is not an event."""
    name, retry = "", None
    data: list[str] = []
    for line in _lines(pieces):
        if not line:
            if data:
                yield ServerEvent(name or "message", "\n".join(data), last_id, retry)
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id" and "\0" not in value:
            last_id = value
        elif field == "retry" and value.isascii() and value.isdecimal():
            retry = int(value) / 1000


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Complete lines without their ends; unlike str.splitlines, what JSON may contain unescaped ends no line."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    rest = ""
    for piece in pieces:
        rest += decoder.decode(piece)
        # A carriage return at the very end may be the first half of a line end.
        ready, held = (rest[:-1], "\r") if rest.endswith("\r") else (rest, "")
        *lines, rest = _LINE_END.split(ready)
        rest += held
        yield from lines
        if len(rest) > MAX_LINE_CHARACTERS:
            raise ServiceUnavailable("the stream of events has a line without an end", code="server.not_understood")

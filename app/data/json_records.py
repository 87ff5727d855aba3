"""Objects out of JSON and JSON-lines files, one at a time, none held beyond a bound."""

import json
import re
from collections.abc import Iterable, Iterator
from json.decoder import JSONDecoder
from pathlib import Path
from typing import Any, TextIO

from app.data.encoding import OVERLONG
from app.data.line_rows import Unreadable
from app.domain.errors import DataUnreadable
from app.domain.wording import say

_BLANK = re.compile(r"[\s,]*")
_MARKS = re.compile(r'["\\\[\]{}]')
_CHUNK_CHARS = 1 << 18


def json_lines(lines: Iterable[str]) -> Iterator[dict[str, Any] | Unreadable]:
    """One object a line; blank lines are no rows."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if line.startswith(OVERLONG):
            yield Unreadable(say("longer than max_row_bytes, so it was not read"), "")
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Unreadable(say("line {number} is not JSON: {error}", number=number, error=error), line[:80])
            continue
        yield (
            value
            if isinstance(value, dict)
            else Unreadable(say("line {number} is not an object", number=number), line[:80])
        )


class _Stream:
    """A window on the text of a JSON document that grows while a value does not fit and slides on afterwards."""

    def __init__(self, file: TextIO, path: Path, max_chars: int) -> None:
        self.file, self.path, self.max_chars = file, path, max_chars
        self.buffer, self.at, self.ended = "", 0, False
        self.decoder = JSONDecoder()

    def grow(self) -> bool:
        more = self.file.read(_CHUNK_CHARS)
        self.ended = not more
        self.buffer, self.at = self.buffer[self.at :] + more, 0
        return bool(more)

    def peek(self) -> str:
        """The next character that is neither white space nor a comma; empty at the end."""
        while True:
            match = _BLANK.match(self.buffer, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self.grow():
                return ""

    def value(self) -> Any:
        """Decode the next value; Unreadable where it is longer than the bound."""
        self.peek()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.buffer, self.at)
            except (ValueError, RecursionError) as error:
                if len(self.buffer) - self.at > self.max_chars:
                    return self.skip()
                if not self.ended and self.grow():
                    continue
                raise DataUnreadable(
                    say("{path} is not valid JSON: {error}", path=self.path, error=error),
                    hint="repair the file, or save it as jsonl",
                ) from error
            if end == len(self.buffer) and not self.ended and self.grow():
                continue
            length, self.at = end - self.at, end
            return value if length <= self.max_chars else Unreadable(say("longer than max_row_bytes"), "")

    def skip(self, depth: int = 0) -> Unreadable:
        """Move behind the value that starts here, or behind `depth` brackets that are open already."""
        quoted = False
        while True:
            escaped_at = -1
            for match in _MARKS.finditer(self.buffer, self.at):
                mark, place = match[0], match.start()
                if place == escaped_at:
                    continue
                if mark == "\\":
                    escaped_at = place + 1
                elif mark == '"':
                    quoted = not quoted
                elif not quoted:
                    depth += 1 if mark in "[{" else -1
                if depth == 0 and not quoted and mark != "\\":
                    self.at = match.end()
                    return Unreadable(say("longer than max_row_bytes, so it was not read"), "")
            keep = 1 if escaped_at == len(self.buffer) else 0
            self.at = len(self.buffer) - keep
            if not self.grow():
                raise DataUnreadable(
                    say("{path} ends inside a value", path=self.path), hint="the file seems cut off; copy it again"
                )


def json_document(file: TextIO, path: Path, max_row_bytes: int) -> Iterator[dict[str, Any] | Unreadable]:
    """The objects of a list, or of the first list of objects among the values of an object (`{"data": [...]}`)."""
    stream = _Stream(file, path, max_row_bytes)
    if stream.peek() == "{":
        _enter_list_of_object(stream)
    elif stream.peek() == "[":
        stream.at += 1
    else:
        raise DataUnreadable(
            say("{path} is JSON, but no list of objects", path=path), hint='expected [{"text": ..., "label": ...}]'
        )
    while (following := stream.peek()) != "]":
        if not following:
            raise DataUnreadable(
                say("{path} ends inside its list", path=path), hint="the file seems cut off; copy it again"
            )
        value = stream.value()
        if isinstance(value, dict | Unreadable):
            yield value
        else:
            yield Unreadable(say("not an object"), json.dumps(value, ensure_ascii=False)[:80])


def _enter_list_of_object(stream: _Stream) -> None:
    """Move behind the opening bracket of the first list of objects, or of the list under `data`."""
    stream.at += 1
    while stream.peek() not in ("}", ""):
        key = stream.value()
        if stream.peek() != ":":
            break
        stream.at += 1
        if stream.peek() != "[":
            stream.value()
            continue
        stream.at += 1
        if stream.peek() == "{" or key == "data":
            return
        stream.skip(depth=1)
    raise DataUnreadable(
        say("{path} is one JSON object without a list of rows", path=stream.path), hint='expected {"data": [...]}'
    )

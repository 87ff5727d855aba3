"""A small language to pick experiments: `accuracy > 0.9 and state = SUCCESS`; parsed here, turned into SQL in `db`.

expression := term ("or" term)*
term       := factor ("and" factor)*
factor     := "not" factor | "(" expression ")" | column operator value
operator   := = != > >= < <= ~          (~ means "contains", any case)
value      := number | 'text' | "text" | bare word
"""

import difflib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from app.domain.errors import InvalidInput
from app.domain.task import TaskState
from app.domain.wording import say, words

Kind = Literal["text", "number", "time", "state"]
Value = str | float | datetime

COLUMNS: dict[str, Kind] = {
    "name": "text",
    "experiment": "text",
    "state": "state",
    "accuracy": "number",
    "macro_f1": "number",
    "loss": "number",
    "runtime_seconds": "number",
    "base_model": "text",
    "dataset": "text",
    "created_at": "time",
}
MAX_CHARACTERS = 2000
MAX_DEPTH = 30

_TOKEN = re.compile(
    r"\s*(?:(?P<operator>!=|>=|<=|==|=|>|<|~)|(?P<paren>[()])|(?P<quoted>'[^']*'|\"[^\"]*\")|(?P<word>[^\s()=!<>~'\"]+))"
)


@dataclass(frozen=True)
class Comparison:
    """`column operator value`, the value already of the column's kind."""

    column: str
    operator: str
    value: Value


@dataclass(frozen=True)
class Not:
    """The opposite of a condition."""

    condition: "Condition"


@dataclass(frozen=True)
class Combined:
    """All (`and`) or any (`or`) of some conditions."""

    word: Literal["and", "or"]
    conditions: tuple["Condition", ...]


Condition = Comparison | Not | Combined


@dataclass(frozen=True)
class SortKey:
    """A column to order by."""

    column: str
    descending: bool


def parse_filter(text: str) -> Condition:
    """Read a condition; InvalidInput names the place and, for a wrong column, those there are."""
    if len(text) > MAX_CHARACTERS:
        raise _fault(
            say("the condition has {count} characters, at most {limit} are read", count=len(text), limit=MAX_CHARACTERS)
        )
    parser = _Parser(_tokens(text))
    condition = parser.expression(0)
    if parser.rest:
        raise _fault(say("{word!r} was not expected there", word=parser.rest[0][1]))
    return condition


def parse_sort(text: str) -> tuple[SortKey, ...]:
    """Read `accuracy` or `-accuracy,name`; a minus sign means descending."""
    keys = []
    for part in text.split(","):
        name = part.strip()
        keys.append(SortKey(_column(name.removeprefix("-")), name.startswith("-")))
    return tuple(keys)


def _fault(message: str) -> InvalidInput:
    return InvalidInput(
        message, hint='for example: --where "accuracy > 0.9 and state = SUCCESS"', code="filter.invalid"
    )


def _column(name: str) -> str:
    if name in COLUMNS:
        return name
    near = difflib.get_close_matches(name, COLUMNS, n=1)
    missing = words("there is no column {name!r}; did you mean {near}?" if near else "there is no column {name!r}")
    raise InvalidInput(
        say(missing, name=name, near=near[0] if near else ""),
        hint=say("columns are {columns}", columns=", ".join(COLUMNS)),
        code="filter.invalid",
    )


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, position, end = [], 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise _fault(f"cannot read the condition from {text[position:].strip()!r}")
        assert match.lastgroup is not None
        tokens.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return tokens


class _Parser:
    """Recursive descent over `rest`, the tokens not read yet."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.rest = tokens

    def expression(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise _fault(f"the condition is nested more than {MAX_DEPTH} deep")
        return self._joined("or", depth)

    def _joined(self, word: Literal["and", "or"], depth: int) -> Condition:
        def part() -> Condition:
            return self._joined("and", depth) if word == "or" else self._factor(depth)

        parts = [part()]
        while self._next_is(word):
            self.rest = self.rest[1:]
            parts.append(part())
        return parts[0] if len(parts) == 1 else Combined(word, tuple(parts))

    def _factor(self, depth: int) -> Condition:
        if self._next_is("not"):
            self.rest = self.rest[1:]
            if depth > MAX_DEPTH:
                raise _fault(f"the condition is nested more than {MAX_DEPTH} deep")
            return Not(self._factor(depth + 1))
        if self.rest[:1] == [("paren", "(")]:
            self.rest = self.rest[1:]
            inner = self.expression(depth + 1)
            if self.rest[:1] != [("paren", ")")]:
                raise _fault("a parenthesis is not closed")
            self.rest = self.rest[1:]
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        column = _column(self._take("word", "a column name"))
        operator = self._take("operator", f"a comparison after {column!r}").replace("==", "=")
        kind = COLUMNS[column]
        if operator == "~" and kind != "text":
            raise _fault(f"'~' (contains) compares text, and {column} is none")
        if operator not in ("=", "!=") and kind == "state":
            raise _fault("state is compared with = or !=")
        if not self.rest or self.rest[0][0] not in ("word", "quoted"):
            raise _fault(f"a value is missing after '{column} {operator}'")
        group, raw = self.rest[0]
        self.rest = self.rest[1:]
        return Comparison(column, operator, _value(column, kind, raw[1:-1] if group == "quoted" else raw))

    def _next_is(self, word: str) -> bool:
        return bool(self.rest) and self.rest[0][0] == "word" and self.rest[0][1].lower() == word

    def _take(self, group: str, expected: str) -> str:
        if not self.rest or self.rest[0][0] != group:
            found = f"found {self.rest[0][1]!r}" if self.rest else "the condition ends"
            raise _fault(f"expected {expected}, {found}")
        value = self.rest[0][1]
        self.rest = self.rest[1:]
        return value


def _value(column: str, kind: Kind, raw: str) -> Value:
    if kind == "number":
        try:
            return float(raw)
        except ValueError:
            raise _fault(f"{column} is compared with a number, not {raw!r}") from None
    if kind == "time":
        try:
            moment = datetime.fromisoformat(raw)
        except ValueError:
            raise _fault(f"{column} is compared with a date such as 2026-01-31, not {raw!r}") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if kind == "state":
        if raw.upper() not in TaskState.__members__:
            raise _fault(f"state is one of {', '.join(TaskState)}, not {raw!r}")
        return raw.upper()
    return raw

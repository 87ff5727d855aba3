"""Lines -> rows, by a known separator, with quotes or without; what cannot be made a row of is said row by row.

Which separator and which way is found out in `detection.py`.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Literal, NamedTuple

from app.data.encoding import OVERLONG
from app.domain.wording import Said, say

Mode = Literal["quoted", "plain", "first", "last"]
"""`quoted`: standard csv quotes. `plain`: quotes are text. `first`, `last`: one separator a line, the first or last."""

Side = Literal["first", "last"]
SPLIT: tuple[Side, ...] = ("first", "last")
_CALLED = {
    ",": say("a comma"),
    "\t": say("a tab"),
    ";": say("a semicolon"),
    "|": say("a bar"),
    "@": say("an at sign"),
    "^": say("a caret"),
    "~": say("a tilde"),
    " ": say("a space"),
}
SEPARATORS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar", "@": "at sign", "^": "caret", "~": "tilde"}


class Unreadable(NamedTuple):
    """A row that could not be made into cells: why, and how it begins."""

    reason: str
    excerpt: str


@dataclass(frozen=True)
class Dialect:
    """How lines become cells; `num_columns` 0 means: do not check.

    `labels` are those of the rows with one separator alone, on the side where a row has its label: a row with more
    separators has them in its text if one of these labels is on that side; else it is no row of this file.
    """

    separator: str
    mode: Mode
    num_columns: int = 0
    label_side: Side | None = None
    labels: frozenset[str] = frozenset()


def _quoted_rows(lines: Iterable[str], separator: str, first_line: int) -> Iterator[list[str] | Unreadable]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    before = first_line - 1
    while True:
        started = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            ended = reader.line_num
            where = f"lines {before + started} to {before + ended}" if ended > started else f"line {before + started}"
            yield Unreadable(
                say("{where}: {error}; is a quote left open or not doubled?", where=where, error=error), ""
            )
            continue
        if cells and not (len(cells) == 1 and not cells[0].strip()):
            yield cells


def plain_rows(lines: Iterable[str], separator: str, mode: Mode) -> Iterator[list[str]]:
    """The cells of each line that is not blank, quotes being text; without a separator the line is the cell."""
    for ended_line in lines:
        line = ended_line.rstrip("\r\n")
        if not line.strip(" "):
            continue
        if mode == "first":
            yield line.split(separator, 1)
        elif mode == "last":
            yield line.rsplit(separator, 1)
        else:
            yield line.split(separator) if separator else [line]


def split_rows(lines: Iterable[str], dialect: Dialect, first_line: int = 1) -> Iterator[list[str] | Unreadable]:
    """Make rows of lines, of which the first is `first_line` of the file; blank lines are no rows.

    A row with cells missing at its end is passed on; one with cells too many, without the separator, with broken
    quotes or over-long is `Unreadable`.
    """
    separator, mode = dialect.separator, dialect.mode
    rows = _quoted_rows(lines, separator, first_line) if mode == "quoted" else plain_rows(lines, separator, mode)
    for row in rows:
        if isinstance(row, Unreadable):
            yield row
        elif OVERLONG in row[0] or (len(row) > 1 and any(OVERLONG in cell for cell in row)):
            yield Unreadable(say("longer than data.max_row_bytes, so it was not read"), "")
        elif mode in SPLIT:
            yield _checked_split(row, dialect)
        else:
            yield row if len(row) == dialect.num_columns else _checked(row, dialect)


def _checked(row: list[str], dialect: Dialect) -> list[str] | Unreadable:
    expected = dialect.num_columns
    if not expected or len(row) == expected:
        return row
    if len(row) < expected:
        return row + [""] * (expected - len(row))
    if not any(cell.strip() for cell in row[expected:]):
        return row[:expected]
    return joined(row, dialect) or _too_many(row, dialect)


def _checked_split(row: list[str], dialect: Dialect) -> list[str] | Unreadable:
    if dialect.num_columns and len(row) < 2:
        return Unreadable(
            say("there is not {called} in it to split it at", called=called(dialect.separator)), row[0][:80]
        )
    if dialect.label_side is None or has_one_separator(row, dialect.separator):
        return row
    return joined(row, dialect) or _too_many(row, dialect)


def has_one_separator(row: Sequence[str], separator: str) -> bool:
    """Whether two cells are all that the separator makes of a line that was split once."""
    return separator not in row[0] and separator not in row[1]


def joined(row: Sequence[str], dialect: Dialect) -> list[str] | None:
    """The two cells of a row of more, with a label that is known on its side; None where there is none."""
    if dialect.label_side is None:
        return None
    label = known_label(row[0 if dialect.label_side == "first" else -1], dialect.labels)
    if label is None:
        return None
    if dialect.label_side == "first":
        return [label, dialect.separator.join(row[1:])]
    return [dialect.separator.join(row[:-1]), label]


def known_label(cell: str, labels: Set[str]) -> str | None:
    """The label that a cell is, blanks around it aside; None where it is none of `labels`."""
    return cell if cell in labels else cell.strip() if cell.strip() in labels else None


def _too_many(row: Sequence[str], dialect: Dialect) -> Unreadable:
    num_cells = dialect.separator.join(row).count(dialect.separator) + 1 if dialect.mode in SPLIT else len(row)
    found = say("{count} cells where {expected} are expected", count=num_cells, expected=dialect.num_columns)
    if dialect.label_side is not None:
        side = say("first" if dialect.label_side == "first" else "last")
        found = say("{cells}, and its {side} one is no label of other rows", cells=found, side=side)
    return Unreadable(
        say("{found}; is there {called} in the text?", found=found, called=called(dialect.separator)), row[0][:80]
    )


def whole_lines(lines: Iterable[str]) -> Iterator[list[str] | Unreadable]:
    """Make one row of each line, blank ones before the last text included; rows count as lines do."""
    num_blank = 0
    for ended_line in lines:
        line = ended_line.rstrip("\r\n")
        if not line.strip():
            num_blank += 1
            continue
        yield from ([""] for _ in range(num_blank))
        num_blank = 0
        yield Unreadable(say("longer than data.max_row_bytes, so it was not read"), "") if OVERLONG in line else [line]


def called(separator: str) -> Said:
    """The name of a separator with its article, for sentences."""
    if separator in _CALLED:
        return _CALLED[separator]
    return say("a {mark}", mark=f"'{separator}'" if separator.isprintable() else repr(separator))

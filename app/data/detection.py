"""How a text file is laid out: separator, quotes, header; each choice with the evidence for it.

Which column is what belongs to `columns.py`, encodings to `encoding.py`.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from app.data.columns import LABEL_NAMES, TEXT_NAMES, looks_like_labels, name_rank
from app.data.encoding import OVERLONG

Mode = Literal["quoted", "plain", "first", "last"]
"""`quoted`: standard csv quotes. `plain`: quotes are text. `first`, `last`: one separator a line, the first or last."""

SEPARATORS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar", "@": "at sign", "^": "caret", "~": "tilde"}
_NEVER = frozenset("\"'\\.")
"""What encloses, escapes or ends sentences separates nothing."""
_BY_SUFFIX = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_FIXED: tuple[Mode, ...] = ("quoted", "plain")
_SPLIT: tuple[Mode, ...] = ("first", "last")
_MODES = _FIXED + _SPLIT
MIN_SHARE = 0.8
"""A separator counts when at least this share of the sampled lines agrees on the number of columns."""


class Unreadable(NamedTuple):
    """A row that could not be made into cells: why, and how it begins."""

    reason: str
    excerpt: str


@dataclass(frozen=True)
class Dialect:
    """How lines become cells; `num_columns` 0 means: do not check."""

    separator: str
    mode: Mode
    num_columns: int = 0


def _quoted_rows(lines: Iterable[str], separator: str) -> Iterator[list[str] | Unreadable]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        started = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            where = f"lines {started} to {reader.line_num}" if reader.line_num > started else f"line {started}"
            yield Unreadable(f"{where}: {error}; is a quote left open or not doubled?", "")
            continue
        if cells and not (len(cells) == 1 and not cells[0].strip()):
            yield cells


def _plain_rows(lines: Iterable[str], dialect: Dialect) -> Iterator[list[str]]:
    separator, mode = dialect.separator, dialect.mode
    for ended_line in lines:
        line = ended_line.rstrip("\r\n")
        if not line.strip(" "):
            continue
        if mode == "plain":
            yield line.split(separator) if separator else [line]
        elif mode == "first":
            yield line.split(separator, 1)
        else:
            yield line.rsplit(separator, 1)


def split_rows(lines: Iterable[str], dialect: Dialect) -> Iterator[list[str] | Unreadable]:
    """Make rows of lines; blank lines are no rows.

    A row with cells missing at its end is passed on; one with cells too many, without the separator, with broken
    quotes or over-long is `Unreadable`.
    """
    expected = dialect.num_columns
    rows = _quoted_rows(lines, dialect.separator) if dialect.mode == "quoted" else _plain_rows(lines, dialect)
    for row in rows:
        if isinstance(row, Unreadable):
            yield row
        elif OVERLONG in row[0] or (len(row) > 1 and any(OVERLONG in cell for cell in row)):
            yield Unreadable("longer than data.max_row_bytes, so it was not read", "")
        elif not expected or len(row) == expected:
            yield row
        elif dialect.mode in ("first", "last"):
            yield Unreadable(f"there is not {called(dialect.separator)} in it to split it at", row[0][:80])
        elif len(row) < expected:
            yield row + [""] * (expected - len(row))
        elif any(cell.strip() for cell in row[expected:]):
            found = f"{len(row)} cells where {expected} are expected"
            yield Unreadable(f"{found}; is there {called(dialect.separator)} in the text?", row[0][:80])
        else:
            yield row[:expected]


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
        yield Unreadable("longer than data.max_row_bytes, so it was not read", "") if OVERLONG in line else [line]


def called(separator: str) -> str:
    """The name of a separator with its article, for sentences."""
    name = {" ": "space", **SEPARATORS}.get(separator, f"'{separator}'" if separator.isprintable() else repr(separator))
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


@dataclass(frozen=True)
class _Fit:
    """How well a dialect explains the sampled lines; `num_labels` counts the labels of a single split."""

    dialect: Dialect
    share: float
    labelled: bool
    num_labels: int = 0


def _fit(lines: Sequence[str], separator: str, mode: Mode) -> _Fit | None:
    rows = list(split_rows(lines, Dialect(separator, mode)))
    cells = [row for row in rows if not isinstance(row, Unreadable)]
    if not cells:
        return None
    if mode in ("first", "last"):
        good = [row for row in cells if len(row) == 2]
        side = [row[0 if mode == "first" else 1] for row in good]
        num_labels = len(set(side[1:]))
        if len(good) < MIN_SHARE * len(rows) or num_labels < 2:
            return None
        if sum(not cell.strip() for cell in side) > (1 - MIN_SHARE) * len(side):
            return None
        if not (looks_like_labels(side) or looks_like_labels(side[1:])):
            return None
        if (separator, mode) == (" ", "last") and not _are_names(side):
            return None
        return _Fit(Dialect(separator, mode, 2), len(good) / len(rows), True, num_labels)
    num_columns = Counter(map(len, cells)).most_common(1)[0][0]
    if num_columns < 2 or (num_columns != len(cells[0]) > 1 and all(map(_is_known_name, cells[0]))):
        return None  # a header that names fewer columns than the rows have: the separator is in the texts too
    good = [row for row in cells if len(row) == num_columns]
    columns = list(zip(*good, strict=True))
    labelled = any(map(_is_known_name, good[0])) or any(
        looks_like_labels(c) or looks_like_labels(c[1:]) for c in columns
    )
    return _Fit(Dialect(separator, mode, num_columns), len(good) / len(rows), labelled)


def _is_known_name(cell: str) -> bool:
    return name_rank(cell, TEXT_NAMES | LABEL_NAMES) == 2


def _are_names(words: Sequence[str]) -> bool:
    """Whether last words are labels rather than the ends of sentences: few, and without a full stop or other mark."""
    counts = Counter(words)
    return all(word.isalnum() for word in counts) and len(counts) <= max(2, len(words) // 50)


def _split_fits(lines: Sequence[str], separator: str) -> list[_Fit]:
    """Single splits that leave labels on one side."""
    return [fit for mode in _SPLIT if (fit := _fit(lines, separator, mode))]


def _unusual_separators(lines: Sequence[str]) -> list[str]:
    """Marks, symbols and control characters, none of the usual separators, that nearly every sampled line has."""
    filled = [line.rstrip("\r\n") for line in lines if line.strip()]
    counts = Counter(char for line in filled for char in set(line) if not char.isalnum())
    known = _NEVER | set(SEPARATORS) | {" "}
    return sorted(c for c, count in counts.items() if count >= MIN_SHARE * len(filled) and c not in known)


def choose_dialect(lines: Sequence[str], suffix: str) -> Dialect | None:
    """The dialect that explains most of the sampled lines, or None where each line is one cell.

    A single split is tried where a separator gives no fixed columns, or other numbers of columns in the text's own
    marks. First comes a column of labels or known column names, then a usual separator, a space and any other mark in
    this order, the share of lines explained, the suffix's own separator, fewer labels.
    """
    own = _BY_SUFFIX.get(suffix)
    fits: list[_Fit] = []
    for separator in SEPARATORS:
        least = 0.5 if separator == own else MIN_SHARE
        fixed = [_fit(lines, separator, mode) for mode in _FIXED]
        good = [f for f in fixed if f and f.share >= least and (f.labelled or separator == own or f.share > 0.98)]
        fits += good or _split_fits(lines, separator)
    others = [" ", *_unusual_separators(lines)]
    fits += [fit for separator in others for fit in _split_fits(lines, separator)]
    if not fits:
        return None

    def evidence(fit: _Fit) -> tuple[bool, int, float, bool, int, int]:
        separator, mode = fit.dialect.separator, fit.dialect.mode
        usual = 2 if separator in SEPARATORS else 1 if separator == " " else 0
        return (fit.labelled, usual, round(fit.share, 2), separator == own, -fit.num_labels, -_MODES.index(mode))

    return max(fits, key=evidence).dialect


def alternatives(dialect: Dialect, lines: Sequence[str]) -> list[Dialect]:
    """Ways to read the same separator that the sampled lines allow, the given one among them.

    Columns may have quotes or none; two columns may also be one split a line, at the end that has fewer labels.
    """
    if dialect.separator == " ":
        return [dialect]
    ways: list[Mode] = [*_FIXED]
    if dialect.num_columns == 2:
        split = sorted(_split_fits(lines, dialect.separator), key=lambda fit: fit.num_labels)
        ways += [fit.dialect.mode for fit in split[:1]]
    return [replace(dialect, mode=mode) for mode in ways]


def count_lost_lines(lines: Iterable[str], dialect: Dialect) -> int:
    """How many of all `lines` end up in no row with the right number of cells under `dialect`."""
    if dialect.mode != "quoted":
        return sum(1 for row in _plain_rows(lines, dialect) if len(row) != dialect.num_columns)
    reader = csv.reader(lines, delimiter=dialect.separator, strict=True)
    num_lost = read_before = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return num_lost
        except csv.Error:
            cells = ["broken"]
        if cells and len(cells) != dialect.num_columns:
            num_lost += reader.line_num - read_before
        read_before = reader.line_num


def choose_mode(num_lost: Mapping[Mode, int], has_quotes: bool) -> tuple[Mode, str]:
    """The way of reading that loses fewest lines, and why; on a tie the stricter one."""
    mode = min(num_lost, key=lambda m: (num_lost[m], _MODES.index(m)))
    how: dict[Mode, str] = {
        "quoted": "quotes enclose cells" if has_quotes else "there are no quotes",
        "plain": "quotes are part of the text",
        "first": "each line is split at its first separator",
        "last": "each line is split at its last separator",
    }
    lost = num_lost[mode]
    result = f"{how[mode]}: that loses {f'{lost:,} lines' if lost else 'no line'}"
    others = [f"{n:,} if {how[m]}" for m, n in num_lost.items() if n > lost]
    return mode, result + (f" ({', '.join(others)})" if others else "")


def choose_header(rows: Sequence[Sequence[str]], asked: Sequence[str]) -> tuple[bool, str]:
    """Whether the first row names the columns, and why; `asked` are the column names the user gave."""
    first, rest = rows[0], rows[1:]
    if named := [name for name in asked if name in [cell.strip() for cell in first] and not name.isdecimal()]:
        return True, f"its first row has the column '{named[0]}' that was asked for"
    if any(len(cell) > 40 or len(cell.split()) > 4 for cell in first):
        return False, "its first row is too long for names of columns"
    columns = [[row[i] for row in rest if i < len(row)] for i in range(len(first))]
    for cell, values in zip(first, columns, strict=True):
        if name_rank(cell, TEXT_NAMES | LABEL_NAMES) == 2 and cell not in values:
            return True, f"its first row has the known column name '{cell.strip()}'"
    for cell, values in zip(first, columns, strict=True):
        if cell.strip() and len(values) >= 10 and looks_like_labels(values) and cell not in values:
            return True, f"'{cell.strip()}' in its first row occurs nowhere below, where values recur"
    return False, "its first row looks like the rows below it"


def column_names(header: Sequence[str] | None, num_columns: int) -> list[str]:
    """Names of the columns: those of the header, made distinct; numbers from 1 where there is none."""
    if header is None:
        return [str(number) for number in range(1, num_columns + 1)]
    names: list[str] = []
    taken: set[str] = set()
    for number, cell in enumerate(header, 1):
        name = cell.strip() or f"column {number}"
        names.append(f"{name} ({number})" if name in taken else name)
        taken.add(names[-1])
    return names

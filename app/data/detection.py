"""How a text file is laid out: separator, quotes, header; each choice with the evidence for it.

Which column is what belongs to `columns.py`, encodings to `encoding.py`.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from app.data.columns import LABEL_NAMES, MAX_COLUMNS, TEXT_NAMES, looks_like_labels, name_rank
from app.data.line_rows import (
    SEPARATORS,
    SPLIT,
    Dialect,
    Mode,
    Side,
    Unreadable,
    has_one_separator,
    known_label,
    plain_rows,
    split_rows,
)
from app.domain.wording import say

_NEVER = frozenset("\"'\\.")
"""What encloses, escapes or ends sentences separates nothing."""
_BY_SUFFIX = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_SPLIT_AT_ONE = frozenset("@^~")
"""Marks that texts have and tables are hardly written with: one split a line is tried before many columns."""

_FIXED: tuple[Mode, ...] = ("quoted", "plain")
_MODES: tuple[Mode, ...] = (*_FIXED, *SPLIT)
MIN_SHARE = 0.8
"""A separator counts when at least this share of the sampled lines agrees on the number of columns."""

MAX_LABELS = 20_000
"""More different values than this are not held to be labels by which rows with too many cells are told."""

MIN_EXPLAINED = 0.95
"""Labels of the rows with one separator are all the labels when this share of the other rows has them."""


@dataclass(frozen=True)
class _Fit:
    """How well a dialect explains the sampled lines; `num_labels` counts the labels of a single split."""

    dialect: Dialect
    share: float
    labelled: bool
    tidy: bool
    num_labels: int = 0


def _is_tidy(values: Sequence[str]) -> bool:
    """Whether labels are more than one, and without blanks around them that belong to sentences."""
    return len(set(values)) > 1 and all(value == value.strip() for value in values)


def _fit(lines: Sequence[str], separator: str, mode: Mode) -> _Fit | None:
    rows = list(split_rows(lines, Dialect(separator, mode)))
    cells = [row for row in rows if not isinstance(row, Unreadable)]
    if not cells:
        return None
    if mode in SPLIT:
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
        return _Fit(Dialect(separator, mode, 2), len(good) / len(rows), True, _is_tidy(side[1:]), num_labels)
    num_columns = Counter(map(len, cells)).most_common(1)[0][0]
    if num_columns < 2 or (num_columns != len(cells[0]) > 1 and all(map(_is_known_name, cells[0]))):
        return None  # a header that names fewer columns than the rows have: the separator is in the texts too
    good = [row for row in cells if len(row) == num_columns]
    if num_columns > MAX_COLUMNS:
        return _Fit(Dialect(separator, mode, num_columns), len(good) / len(rows), False, False)
    has_header = any(map(_is_known_name, good[0]))
    labels = [c for c in zip(*good, strict=True) if looks_like_labels(c) or looks_like_labels(c[1:])]
    labelled, tidy = has_header or bool(labels), has_header or any(_is_tidy(c[1:]) for c in labels)
    return _Fit(Dialect(separator, mode, num_columns), len(good) / len(rows), labelled, tidy)


def _is_known_name(cell: str) -> bool:
    return name_rank(cell, TEXT_NAMES | LABEL_NAMES) == 2


def _are_names(words: Sequence[str]) -> bool:
    """Whether last words are labels rather than the ends of sentences: few, and without a full stop or other mark."""
    counts = Counter(words)
    return all(word.isalnum() for word in counts) and len(counts) <= max(2, len(words) // 50)


def _split_fits(lines: Sequence[str], separator: str) -> list[_Fit]:
    """Single splits that leave labels on one side."""
    return [fit for mode in SPLIT if (fit := _fit(lines, separator, mode))]


def _unusual_separators(lines: Sequence[str]) -> list[str]:
    """Marks, symbols and control characters, none of the usual separators, that nearly every sampled line has."""
    filled = [line.rstrip("\r\n") for line in lines if line.strip()]
    counts = Counter(char for line in filled for char in set(line) if not char.isalnum())
    known = _NEVER | set(SEPARATORS) | {" "}
    return sorted(c for c, count in counts.items() if count >= MIN_SHARE * len(filled) and c not in known)


def choose_dialect(lines: Sequence[str], suffix: str, separator: str = "") -> Dialect | None:
    """The dialect that explains most of the sampled lines, or None where each line is one cell.

    A `separator` that the file names itself is taken where it divides lines at all.

    A single split is tried where a separator gives no fixed columns, or other numbers of columns in the text's own
    marks. First comes a column of labels or known column names, then a usual separator, a space and any other mark in
    this order, labels without blanks around them, the share of lines explained, the suffix's own separator, fewer
    labels.
    """
    if separator and (named := [fit for mode in _FIXED if (fit := _fit(lines, separator, mode))]):
        return max(named, key=lambda fit: fit.share).dialect
    own = _BY_SUFFIX.get(suffix)
    fits: list[_Fit] = []
    for separator in SEPARATORS:
        least = 0.5 if separator == own else MIN_SHARE
        fixed = [_fit(lines, separator, mode) for mode in _FIXED]
        good = [f for f in fixed if f and f.share >= least and (f.labelled or separator == own or f.share > 0.98)]
        if not good or (separator in _SPLIT_AT_ONE and not _has_columns(lines, good)):
            good = _split_fits(lines, separator) or good
        fits += good
    others = [" ", *_unusual_separators(lines)]
    fits += [fit for separator in others for fit in _split_fits(lines, separator)]
    if not fits:
        return None

    def evidence(fit: _Fit) -> tuple[bool, int, bool, float, bool, int, int]:
        separator, mode = fit.dialect.separator, fit.dialect.mode
        usual = 2 if separator in SEPARATORS else 1 if separator == " " else 0
        share = round(fit.share, 2)
        return (fit.labelled, usual, fit.tidy, share, separator == own, -fit.num_labels, -_MODES.index(mode))

    return max(fits, key=evidence).dialect


def _has_columns(lines: Sequence[str], fits: Sequence[_Fit]) -> bool:
    """Whether columns are more than a text and a label with separators in the text: two of them, or named ones."""
    first = next(line for line in lines if line.strip()).rstrip("\r\n").split(fits[0].dialect.separator)
    return any(fit.dialect.num_columns == 2 for fit in fits) or any(map(_is_known_name, first))


def alternatives(dialect: Dialect, lines: Sequence[str]) -> list[Dialect]:
    """Ways to read the same separator that the sampled lines allow, the given one among them.

    Columns may have quotes or none; of two columns it is told which one has the labels. A single split is a way where
    it was chosen: elsewhere most lines have the same number of cells, and a longer one is no row without a known label.
    """
    if dialect.separator == " ":
        return [dialect]
    ways = [replace(dialect, mode=mode) for mode in _FIXED]
    if dialect.num_columns == 2:
        ways = [replace(way, label_side=_label_side(lines, way)) for way in ways]
    return [*ways, replace(dialect, label_side=dialect.mode)] if dialect.mode in SPLIT else ways


def names_two_columns(row: Sequence[str]) -> bool:
    """Whether a first row is a header of a text and a label that is known by its names."""
    return len(row) == 2 and all(map(_is_known_name, row))


def _label_side(lines: Sequence[str], dialect: Dialect) -> Side | None:
    """Which of two columns has the labels, by its name, else by what recurs."""
    every = split_rows(lines, replace(dialect, num_columns=0))
    rows = [row for row in every if not isinstance(row, Unreadable) and len(row) == 2]
    if not rows:
        return None
    named = [name_rank(cell, LABEL_NAMES) == 2 for cell in rows[0]]
    if named[0] != named[1]:
        return SPLIT[named.index(True)]
    columns = list(zip(*rows[1:], strict=True)) or [(), ()]
    shaped = [side for side, column in zip(SPLIT, columns, strict=True) if looks_like_labels(column)]
    if len(shaped) == 2:
        shaped.sort(key=lambda side: len(set(columns[SPLIT.index(side)])))
    return shaped[0] if shaped else None


@dataclass(frozen=True)
class Weighed:
    """A way to read with the labels it found, how many lines it loses, and how many it joins to a text and a label."""

    dialect: Dialect
    num_lost: int
    num_joined: int = 0


def weigh(lines: Iterable[str], dialect: Dialect, *, is_named: bool = False) -> Weighed:
    """What becomes of all `lines` under `dialect`: those in no row with the right number of cells are lost.

    Labels of a single split are believed to be all there are where most lines have one separator, or where a header
    that `is_named` says what the columns are and nearly all other lines have one of them.
    """
    is_split, side = dialect.mode in SPLIT, dialect.label_side
    labels: Counter[str] = Counter()
    longer: Counter[str] = Counter()
    num_lost, is_first = 0, True
    for num_lines, cells in _counted_rows(lines, dialect):
        is_long = len(cells) > 2 or (len(cells) == 2 and is_split and not has_one_separator(cells, dialect.separator))
        if side is None or len(cells) < 2 or not (cells[0] and cells[-1]):
            num_lost += num_lines * (len(cells) != dialect.num_columns)
        elif is_long or not is_first:  # the first may be a header, whose cell is no label
            counts, cell = longer if is_long else labels, cells[0 if side == "first" else -1]
            if cell in counts or len(counts) <= MAX_LABELS:
                counts[cell] += num_lines
            else:
                num_lost += num_lines * is_long
        is_first = False
    if len(labels) > MAX_LABELS:
        labels.clear()
    num_joined = sum(count for cell, count in longer.items() if known_label(cell, labels.keys()) is not None)
    explained = is_named and num_joined >= MIN_EXPLAINED * longer.total()
    if side is None or (is_split and labels.total() < longer.total() and not explained):
        return Weighed(replace(dialect, label_side=None), num_lost)
    num_lost += longer.total() - num_joined
    return Weighed(replace(dialect, labels=frozenset(labels)), num_lost, 0 if is_split else num_joined)


def _counted_rows(lines: Iterable[str], dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """How many lines each row takes, with its cells; one broken cell where quotes are broken."""
    if dialect.mode != "quoted":
        for row in plain_rows(lines, dialect.separator, dialect.mode):
            yield 1, row
        return
    reader = csv.reader(lines, delimiter=dialect.separator, strict=True)
    read_before = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = [""]
        if cells:
            yield reader.line_num - read_before, cells
        read_before = reader.line_num


def choose_mode(ways: Mapping[Mode, Weighed], has_quotes: bool) -> tuple[Mode, str]:
    """The way of reading by which fewest lines are lost or have to be joined, and why; on a tie the stricter one."""
    mode = min(ways, key=lambda m: (ways[m].num_lost + ways[m].num_joined, _MODES.index(m)))
    how: dict[Mode, str] = {
        "quoted": say("quotes enclose cells" if has_quotes else "there are no quotes"),
        "plain": say("quotes are part of the text"),
        "first": say("each line is split at its first separator"),
        "last": say("each line is split at its last separator"),
    }
    lost = ways[mode].num_lost
    lines = say("{count:,} lines", count=lost) if lost > 1 else say("1 line" if lost else "no line")
    others = [say("{count:,} if {way}", count=n, way=how[m]) for m, way in ways.items() if (n := way.num_lost) > lost]
    if others:
        return mode, say("{way}: that loses {lines} ({others})", way=how[mode], lines=lines, others=others)
    return mode, say("{way}: that loses {lines}", way=how[mode], lines=lines)


def choose_header(rows: Sequence[Sequence[str]], asked: Sequence[str]) -> tuple[bool, str]:
    """Whether the first row names the columns, and why; `asked` are the column names the user gave."""
    first, rest = rows[0], rows[1:]
    if named := [name for name in asked if name in [cell.strip() for cell in first] and not name.isdecimal()]:
        return True, say("its first row has the column '{column}' that was asked for", column=named[0])
    if any(len(cell) > 40 or len(cell.split()) > 4 for cell in first):
        return False, say("its first row is too long for names of columns")
    columns = [[row[i] for row in rest if i < len(row)] for i in range(len(first))]
    for cell, values in zip(first, columns, strict=True):
        if name_rank(cell, TEXT_NAMES | LABEL_NAMES) == 2 and cell not in values:
            return True, say("its first row has the known column name '{column}'", column=cell.strip())
    for cell, values in zip(first, columns, strict=True):
        if cell.strip() and len(values) >= 10 and looks_like_labels(values) and cell not in values:
            return True, say("'{cell}' in its first row occurs nowhere below, where values recur", cell=cell.strip())
    return False, say("its first row looks like the rows below it")


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

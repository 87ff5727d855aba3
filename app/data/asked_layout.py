"""The layout of a text file where its owner says what it is: what is left open is still found out.

A wish that this file cannot meet is refused, with what could be asked for instead.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from app.data.columns import looks_like_labels
from app.data.detection import choose_dialect
from app.data.line_rows import SEPARATORS, SPLIT, Dialect, Mode, Unreadable, called, split_rows
from app.domain.data_reading import AUTO, Reading
from app.domain.errors import InvalidInput
from app.domain.wording import say

_BY_SUFFIX = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_REFUSED = "data.reading_refused"


def asked_dialect(lines: Sequence[str], path: Path, named: str, reading: Reading) -> Dialect | None:
    """How lines become cells as `reading` wants it; None where no label stands beside a text and columns are not asked.

    `named` is the separator that the file itself names. InvalidInput where the wishes exclude each other, or where the
    separator is in none of the sampled lines.
    """
    _check_wishes(path, reading)
    separator = "\t" if reading.format == "tsv" else reading.delimiter
    if separator != AUTO and not any(separator in line for line in lines):
        raise _no_separator(lines, path, separator)
    found = choose_dialect(lines, path.suffix.lower(), named if separator == AUTO else separator)
    modes = _modes(reading)
    if found is not None and found.mode in modes and separator in (AUTO, found.separator):
        return found
    if separator == AUTO:
        tried = [named] if named else [*SEPARATORS, *([" "] if reading.format == "text" else [])]
    else:
        tried = [separator]
    own = _BY_SUFFIX.get(path.suffix.lower(), ",")
    ways = [Dialect(one, mode) for one in tried for mode in modes if any(one in line for line in lines)]
    if not ways:
        return None if reading.format == "text" else Dialect(own, modes[0], 1)
    ranked = sorted(ways, key=lambda way: _evidence(lines, way, own), reverse=True)
    best = ranked[0]
    return Dialect(best.separator, best.mode, 2 if best.mode in SPLIT else max(1, _columns(_cells(lines, best))[0]))


def _modes(reading: Reading) -> list[Mode]:
    """Ways of reading that are wanted, the likeliest first."""
    fixed: list[Mode] = ["quoted", "plain"]
    if reading.quotes != AUTO:
        fixed = ["quoted"] if reading.quotes else ["plain"]
    if reading.format == "text":
        return list(SPLIT)
    return fixed if reading.format != AUTO or reading.quotes != AUTO else [*fixed, *SPLIT]


def _evidence(lines: Sequence[str], way: Dialect, own: str) -> tuple[bool, bool, float, bool]:
    """What speaks for a way: labels, more columns than one, the share of lines alike, the suffix's separator."""
    cells = _cells(lines, way)
    if way.mode in SPLIT:
        side = [row[0 if way.mode == "first" else 1] for row in cells if len(row) == 2]
        share = len(side) / max(1, len(cells))
        return looks_like_labels(side) or looks_like_labels(side[1:]), False, round(share, 2), way.separator == own
    num_columns, share = _columns(cells)
    good = [row for row in cells if len(row) == num_columns]
    has_labels = any(looks_like_labels(column[1:]) for column in zip(*good, strict=True)) if num_columns > 1 else False
    return has_labels, num_columns > 1, round(share, 2), way.separator == own


def _cells(lines: Sequence[str], way: Dialect) -> list[list[str]]:
    return [row for row in split_rows(lines, way) if not isinstance(row, Unreadable)]


def _columns(cells: Sequence[Sequence[str]]) -> tuple[int, float]:
    """The number of cells that most rows have, and the share of them."""
    counts = Counter(map(len, cells)).most_common(1)
    return (counts[0][0], counts[0][1] / len(cells)) if counts else (0, 0.0)


def _check_wishes(path: Path, reading: Reading) -> None:
    if reading.format == "fasttext":
        reading.check_only(("format", "encoding"), say("{name} is read as {kind}", name=path.name, kind="fasttext"))
    if reading.format == "text":
        what = say("{name} is read as a label and a text in each line", name=path.name)
        reading.check_only(("format", "encoding", "delimiter", "header"), what)
    if reading.format == "tsv" and reading.delimiter not in (AUTO, "\t"):
        raise InvalidInput(
            say("delimiter cannot be {separator}: format tsv has tabs between columns", separator=reading.delimiter),
            hint="choose format csv for columns with another separator, or delimiter tab",
            code=_REFUSED,
        )


def _no_separator(lines: Sequence[str], path: Path, separator: str) -> InvalidInput:
    there = [called(one) for one in [*SEPARATORS, " "] if any(one in line for line in lines)]
    hint = say("in its first lines there is {marks}", marks=there) if there else say("leave delimiter at auto")
    return InvalidInput(
        say("there is not {separator} in {name} to separate anything", separator=called(separator), name=path.name),
        hint=hint,
        code=_REFUSED,
    )

"""Text files whose lines hold cells: how they are laid out is found out, told, and their rows are read."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from app.data.asked_layout import asked_dialect
from app.data.columns import LABEL_NAMES, TEXT_NAMES, name_rank, refuse_too_wide
from app.data.detection import (
    alternatives,
    choose_dialect,
    choose_header,
    choose_mode,
    column_names,
    names_two_columns,
    weigh,
)
from app.data.encoding import OtherLines, Survey, bounded_lines, open_text
from app.data.labelled_lines import COLUMNS, is_labelled, labelled_rows
from app.data.line_rows import SPLIT, Dialect, Mode, Unreadable, called, split_rows
from app.data.records import Source
from app.domain.data_reading import AS_FOUND, ASKED, AUTO, Reading
from app.domain.data_report import Detected
from app.domain.wording import say, words

SAMPLE_LINES = 2000
MAX_COMMENTS = 50
_SEPARATOR_LINE = re.compile(r"\ufeff?\"?sep=(.)\"?\1*[\r\n]*", re.IGNORECASE)


@dataclass(frozen=True)
class _Preamble:
    """Lines before the first row: how many, what they are, and the separator that they name."""

    num_lines: int = 0
    what: str = ""
    separator: str = ""


def read_delimited(
    path: Path, found: Survey, max_row_bytes: int, asked: Sequence[str], reading: Reading = AS_FOUND
) -> Source:
    """Find out how the lines of a surveyed file become rows; `asked` are column names, `reading` what the user gave."""
    csv.field_size_limit(max_row_bytes)
    sample = _sample_lines(path, found, max_row_bytes)
    reasons = {"encoding": found.reason}
    others = OtherLines()
    if reading.format == "fasttext" or (not reading.asked.keys() - {"encoding"} and is_labelled(sample)):
        return _read_labelled(path, found, max_row_bytes, others, reading)
    before = _preamble(sample, path.suffix.lower(), asked)
    sample = sample[before.num_lines :]
    dialect = _choose_dialect(sample, path, before.separator, reading)
    if dialect is None:
        dialect = Dialect("", "plain", 1)
        reasons["format"] = say("no separator divides most of its lines, so each line is one text")
    else:
        refuse_too_wide(path, dialect.num_columns)
        every = partial(_lines, path, found, max_row_bytes, before.num_lines)
        dialect, reasons["delimiter"] = _choose_way(dialect, sample, every, reading, has_quotes=found.has_quotes)
        how = say(
            "its lines have a label and a text, separated by {separator}"
            if dialect.mode in SPLIT
            else "its lines have {count} columns, separated by {separator}",
            count=dialect.num_columns,
            separator=called(dialect.separator),
        )
        reasons["format"] = say("{lines}{before}", lines=how, before=before.what)
    first_rows = _readable(sample, dialect)
    header = False
    if first_rows:
        header, reasons["header"] = _choose_header(first_rows, asked, reading)
    columns = column_names(first_rows[0] if header else None, dialect.num_columns)
    lines = _lines(path, found, max_row_bytes, before.num_lines, others)
    rows = split_rows(lines, dialect, before.num_lines + 1)
    detected = Detected(
        format=_format(dialect),
        encoding=found.encoding,
        delimiter=dialect.separator or None,
        header=header,
        columns=columns,
        reasons=reasons,
    )
    if header:
        rows = _without_header(rows, others)
    return Source(found.sha256, detected, others.noting(rows) if found.other_encoding else rows, others)


def _choose_dialect(sample: Sequence[str], path: Path, named: str, reading: Reading) -> Dialect | None:
    if reading.asked.keys() - {"encoding", "header"}:
        return asked_dialect(sample, path, named, reading)
    return choose_dialect(sample, path.suffix.lower(), named)


def _choose_header(rows: Sequence[Sequence[str]], asked: Sequence[str], reading: Reading) -> tuple[bool, str]:
    return choose_header(rows, asked) if reading.header == AUTO else (bool(reading.header), ASKED)


def _read_labelled(path: Path, found: Survey, max_row_bytes: int, others: OtherLines, reading: Reading) -> Source:
    """Lines that say themselves which word of theirs is the label."""
    reading.check_only(("format", "encoding"), say("{name} is read as {kind}", name=path.name, kind="fasttext"))
    why = ASKED if reading.format == "fasttext" else say("its lines begin with __label__, as fastText writes them")
    reasons = {"encoding": found.reason, "format": why}
    detected = Detected(format="fasttext", encoding=found.encoding, header=False, columns=COLUMNS, reasons=reasons)
    records = labelled_rows(_lines(path, found, max_row_bytes, 0, others))
    return Source(found.sha256, detected, others.noting(records), others)


def _readable(lines: Sequence[str], dialect: Dialect) -> list[list[str]]:
    return [row for row in split_rows(lines, dialect) if not isinstance(row, Unreadable)]


def _format(dialect: Dialect) -> str:
    return "text" if dialect.mode in SPLIT else {"\t": "tsv", "": "text"}.get(dialect.separator, "csv")


def _sample_lines(path: Path, found: Survey, max_row_bytes: int) -> list[str]:
    lines, size = [], 0
    for line in islice(_lines(path, found, max_row_bytes), SAMPLE_LINES):
        lines.append(line)
        size += len(line)
        if size > max_row_bytes:
            break
    return lines


def _lines(
    path: Path, found: Survey, max_row_bytes: int, num_skipped: int = 0, others: OtherLines | None = None
) -> Iterator[str]:
    with open_text(path, found, others) as file:
        yield from islice(bounded_lines(file, max_row_bytes), num_skipped, None)


def _choose_way(
    dialect: Dialect, sample: Sequence[str], every: Callable[[], Iterator[str]], reading: Reading, *, has_quotes: bool
) -> tuple[Dialect, str]:
    """The way of reading the same separator that loses fewest of `every` line of the file, and why."""
    ways = _allowed_ways(alternatives(dialect, sample), reading, has_quotes=has_quotes)
    is_named = names_two_columns(next(iter(_readable(sample, dialect)), []))
    weighed = {mode: weigh(every(), way, is_named=is_named) for mode, way in ways.items()}
    mode, reason = choose_mode(weighed, has_quotes)
    chosen = weighed[mode]
    if chosen.num_joined:
        joined = words("; {count:,} with more are split at their {side} separator, where a label of other lines stands")
        side = say("first" if chosen.dialect.label_side == "first" else "last")
        reason = say("{reason}{joined}", reason=reason, joined=say(joined, count=chosen.num_joined, side=side))
    return chosen.dialect, reason if reading.delimiter == AUTO else say("that was asked for; {reason}", reason=reason)


def _allowed_ways(found: Sequence[Dialect], reading: Reading, *, has_quotes: bool) -> dict[Mode, Dialect]:
    """The ways that are worth weighing, by their mode; of quotes or a kind of file that is asked for, no other."""
    ways = {way.mode: way for way in found}
    if reading.quotes != AUTO:
        left_out: tuple[Mode, ...] = ("plain", *SPLIT) if reading.quotes else ("quoted", *SPLIT)
    elif reading.format == "text":
        left_out = ("quoted", "plain")
    else:
        left_out = (*(SPLIT if reading.format != AUTO else ()), *(() if has_quotes else ("plain",)))
    return {mode: way for mode, way in ways.items() if mode not in left_out} or ways


def _without_header(rows: Iterator[list[str] | Unreadable], others: OtherLines) -> Iterator[list[str] | Unreadable]:
    """Drop the first row that could be read; the header is no row."""
    dropped = False
    for row in rows:
        if not dropped and not isinstance(row, Unreadable):
            dropped, others.is_pending = True, False
            continue
        yield row


def _preamble(lines: Sequence[str], suffix: str, asked: Sequence[str]) -> _Preamble:
    """What spreadsheets and exports write before the header: `sep=;`, or lines that start with `#`."""
    if lines and (match := _SEPARATOR_LINE.fullmatch(lines[0])):
        return _Preamble(1, say("; its first line, 'sep={mark}', says so", mark=match[1]), match[1])
    num_lines = next((place for place, line in enumerate(lines) if line.strip() and not _is_comment(line)), 0)
    if not 0 < num_lines <= MAX_COMMENTS or not any(map(_is_comment, lines[:num_lines])):
        return _Preamble()
    dialect = choose_dialect(lines[num_lines:], suffix)
    if dialect is None or not _stand_apart(lines[:num_lines], lines[num_lines:], dialect, asked):
        return _Preamble()
    what = words("; its first line is a comment" if num_lines == 1 else "; its first {count} lines are comments")
    return _Preamble(num_lines, say(what, count=num_lines))


def _is_comment(line: str) -> bool:
    return line.lstrip("\ufeff").startswith("#")


def _stand_apart(comments: Sequence[str], lines: Sequence[str], dialect: Dialect, asked: Sequence[str]) -> bool:
    """Whether lines that start with `#` are no rows: a header comes after them, or they have other cells than rows."""
    above, below = _readable(comments, dialect), _readable(lines, dialect)
    if any(_is_header([cell.strip("# \ufeff") for cell in row], asked) for row in above) or not below:
        return False
    if _is_header(below[0], asked):
        return True
    if dialect.mode in SPLIT:
        side = 0 if dialect.mode == "first" else 1
        return not {row[side] for row in above} & {row[side] for row in below}
    return all(sum(cell != "" for cell in row) < dialect.num_columns for row in above)


def _is_header(row: Sequence[str], asked: Sequence[str]) -> bool:
    return any(name_rank(cell, TEXT_NAMES | LABEL_NAMES) == 2 or cell.strip() in asked for cell in row)

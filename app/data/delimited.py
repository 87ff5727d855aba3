"""Text files whose lines hold cells: how they are laid out is found out, told, and their rows are read."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

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
from app.data.line_rows import SPLIT, Dialect, Unreadable, called, split_rows
from app.data.records import Source
from app.domain.data_report import Detected

SAMPLE_LINES = 2000
MAX_COMMENTS = 50
_SEPARATOR_LINE = re.compile(r"\ufeff?\"?sep=(.)\"?\1*[\r\n]*", re.IGNORECASE)


@dataclass(frozen=True)
class _Preamble:
    """Lines before the first row: how many, what they are, and the separator that they name."""

    num_lines: int = 0
    what: str = ""
    separator: str = ""


def read_delimited(path: Path, found: Survey, max_row_bytes: int, asked: Sequence[str]) -> Source:
    """Find out how the lines of a surveyed file become rows; `asked` are column names the user gave."""
    csv.field_size_limit(max_row_bytes)
    sample = _sample_lines(path, found, max_row_bytes)
    reasons = {"encoding": found.reason}
    others = OtherLines()
    if is_labelled(sample):
        reasons["format"] = "its lines begin with __label__, as fastText writes them"
        detected = Detected(format="fasttext", encoding=found.encoding, header=False, columns=COLUMNS, reasons=reasons)
        records = labelled_rows(_lines(path, found, max_row_bytes, 0, others))
        return Source(found.sha256, detected, others.noting(records), others)
    before = _preamble(sample, path.suffix.lower(), asked)
    sample = sample[before.num_lines :]
    dialect = choose_dialect(sample, path.suffix.lower(), before.separator)
    if dialect is None:
        dialect = Dialect("", "plain", 1)
        reasons["format"] = "no separator divides most of its lines, so each line is one text"
    else:
        refuse_too_wide(path, dialect.num_columns)
        dialect, reasons["delimiter"] = _choose_way(dialect, sample, path, found, max_row_bytes, before.num_lines)
        what = "a label and a text" if dialect.mode in SPLIT else f"{dialect.num_columns} columns"
        reasons["format"] = f"its lines have {what}, separated by {called(dialect.separator)}{before.what}"
    first_rows = _readable(sample, dialect)
    header = False
    if first_rows:
        header, reasons["header"] = choose_header(first_rows, asked)
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
    dialect: Dialect, sample: Sequence[str], path: Path, found: Survey, max_row_bytes: int, num_skipped: int
) -> tuple[Dialect, str]:
    """The way of reading the same separator that loses fewest lines of the whole file, and why."""
    ways = {way.mode: way for way in alternatives(dialect, sample)}
    if not found.has_quotes:
        ways.pop("plain", None)
    is_named = names_two_columns(next(iter(_readable(sample, dialect)), []))
    weighed = {
        mode: weigh(_lines(path, found, max_row_bytes, num_skipped), way, is_named=is_named)
        for mode, way in ways.items()
    }
    mode, reason = choose_mode(weighed, found.has_quotes)
    chosen = weighed[mode]
    if chosen.num_joined:
        side, count = chosen.dialect.label_side, f"{chosen.num_joined:,}"
        reason += f"; {count} with more are split at their {side} separator, where a label of other lines stands"
    return chosen.dialect, reason


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
        return _Preamble(1, f"; its first line, 'sep={match[1]}', says so", match[1])
    num_lines = next((place for place, line in enumerate(lines) if line.strip() and not _is_comment(line)), 0)
    if not 0 < num_lines <= MAX_COMMENTS or not any(map(_is_comment, lines[:num_lines])):
        return _Preamble()
    dialect = choose_dialect(lines[num_lines:], suffix)
    if dialect is None or not _stand_apart(lines[:num_lines], lines[num_lines:], dialect, asked):
        return _Preamble()
    what = "its first line is a comment" if num_lines == 1 else f"its first {num_lines} lines are comments"
    return _Preamble(num_lines, f"; {what}")


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

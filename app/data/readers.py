"""A file or hub data set -> its texts and labels, with how it was read.

Whether the rows are fit for training is for `validation.py` to say.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from textwrap import shorten
from typing import Any

from app.data import personal_data
from app.data.columns import ColumnChoice, choose_columns, choose_text_column, refuse_too_wide
from app.data.line_rows import Unreadable
from app.data.progress import counted
from app.data.records import SAMPLE_ROWS, Record, Source, as_text, in_one_spelling, label_kind, sample_text
from app.data.sources import files_of, open_source
from app.data.spool import Spool
from app.domain.data_reading import AS_FOUND, Reading
from app.domain.data_report import MAX_ROWS_NAMED, Detected, PreviewRow
from app.domain.errors import DataUnreadable, InvalidInput
from app.domain.train_config import AUTO
from app.domain.wording import say

MAX_SAMPLE_BYTES = 64 * 2**20
"""Longer rows than usual are fewer in the sample that decides which column is what."""

PREVIEW_ROWS = 3
PREVIEW_CHARS = 100
MAX_ROW_BYTES = 2**31 - 1
"""What the csv module and file objects can count to; a larger bound means this one."""


@dataclass
class Rows:
    """What a source holds: parallel sequences of row numbers (from 1, header not counted), texts and labels.

    A missing cell is "". `unreadable` has at most 100 of the `unreadable_numbers`, each with the reason. `other_rows`
    are the numbers of rows that are in another encoding than the rest of the file.
    """

    file: str
    sha256: str
    detected: Detected
    text_column: str
    label_column: str
    num_rows: int = 0
    numbers: Sequence[int] = field(default_factory=list)
    texts: Sequence[str] = field(default_factory=list)
    labels: Sequence[str] = field(default_factory=list)
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    unreadable_numbers: Sequence[int] = field(default_factory=list)
    other_rows: Sequence[int] = field(default_factory=list)

    @property
    def num_unreadable(self) -> int:
        """How many rows could not be read."""
        return len(self.unreadable_numbers)


def read(
    source: str,
    *,
    text_column: str = AUTO,
    label_column: str = AUTO,
    want_label: bool = True,
    max_row_bytes: int = 8_000_000,
    like: Detected | None = None,
    reading: Reading = AS_FOUND,
) -> Rows:
    """Read a file, a folder of class files or `hub:ID`; its layout is found out, its columns chosen where `auto`.

    Without `want_label` no column is taken for labels, and a .txt file is one text a line unless its column is given.
    `like` is how the training data was read: its columns are taken where this source has them too. `reading` is what
    the user says of the layout. Raises DataUnreadable where there is nothing to read, AmbiguousColumns where `auto`
    cannot choose, InvalidInput where `reading` asks for what such a source does not have.
    """
    if not source.strip():
        raise InvalidInput("no data is named: its name is empty", hint="give a file, a folder or hub:ID")
    bound = min(max_row_bytes, MAX_ROW_BYTES)
    asked = [column for column in (text_column, label_column) if column != AUTO]
    with ExitStack() as closing, _unchanged(source):
        opened = open_source(source, bound, asked, want_label, closing, reading)
        return _read(opened, source, {"text_column": text_column, "label_column": label_column}, want_label, like)


@contextmanager
def _unchanged(source: str) -> Iterator[None]:
    """Refuse what was read of files that were written to meanwhile: the rows may be of two versions."""
    before = _stamps(source)
    yield
    after = _stamps(source)
    if after != before:
        changed = next(path for path in [*before, *after] if before.get(path) != after.get(path))
        which = f": {changed}" if len(before) > 1 else ""
        raise DataUnreadable(
            say("{source} was changed while it was read{which}", source=source, which=which),
            hint="wait until it is whole, and try again",
        )


def _stamps(source: str) -> dict[Path, tuple[int, int, int]]:
    """What tells a file that was written to from what it was: which it is, its size, and when it changed."""
    stamps = {}
    for path in files_of(source):
        with suppress(OSError):
            found = path.stat()
            stamps[path] = (found.st_ino, found.st_size, found.st_mtime_ns)
    return stamps


def _read(opened: Source, source: str, wanted: dict[str, str], want_label: bool, like: Detected | None) -> Rows:
    columns = opened.detected.columns
    refuse_too_wide(source, len(columns))
    sample = _sample(opened.records)
    cells = [[sample_text(cell) for cell in row] for row in sample if not isinstance(row, Unreadable)]
    if not sample:
        raise DataUnreadable(
            say(
                "{source} has a header but no rows" if opened.detected.header else "{source} has no rows", source=source
            ),
            hint="write one row for each example, text and label" if want_label else "write one row for each text",
        )
    reasons: dict[str, str] = {}
    given = dict(wanted)
    for role, asked in given.items():
        known = getattr(like, role, None)
        if asked == AUTO and known in columns:
            wanted = wanted | {role: known}
            reasons[role] = say("column '{column}', as in the training data", column=known)
    following = next(opened.records, None)
    choice = _choose(columns, cells, wanted, want_label, has_all=following is None)
    detected = opened.detected.because(
        {**reasons, **choice.reasons}, text_column=choice.text, label_column=choice.label
    )
    rows = Rows(source, opened.sha256, detected, given["text_column"], given["label_column"])
    records: Iterable[Record] = chain(sample, [] if following is None else [following], opened.records)
    if opened.only is not None:
        columns = [column for column in (choice.text, choice.label) if column is not None] or columns[:1]
        records = opened.only(columns)
    _collect(rows, counted(records, "reading", _expected_rows(source, sample)), columns)
    kind = label_kind(dict.fromkeys(rows.labels), like)
    if kind is not None:
        rows.labels = in_one_spelling(rows.labels, kind)
        detected = detected.because({"labels": kind})
    rows.detected = detected.model_copy(update={"preview": _preview(rows)})
    rows.other_rows = opened.others.rows if opened.others is not None else []
    return rows


def _sample(records: Iterator[Record]) -> list[Record]:
    """The first rows, as many as can be held."""
    sample: list[Record] = []
    size = 0
    for record in islice(records, SAMPLE_ROWS):
        sample.append(record)
        size += sum(len(cell) for cell in record if isinstance(cell, str | bytes))
        if size > MAX_SAMPLE_BYTES:
            break
    return sample


def _expected_rows(source: str, sample: Sequence[Record]) -> int | None:
    """About how many rows a text file has, by its size and that of the first rows; None where that says nothing."""
    path = Path(source).expanduser()
    if len(sample) < SAMPLE_ROWS or path.suffix.lower() in (".gz", ".zip", ".parquet", ".xlsx") or not path.is_file():
        return None
    cells = (as_text(cell) for row in sample for cell in row if cell is not None)
    return path.stat().st_size * len(sample) // max(1, sum(len(cell.encode("utf-8", "replace")) + 1 for cell in cells))


def _preview(rows: Rows) -> list[PreviewRow]:
    """The first rows as they were understood, shortened, personal data masked."""
    first = zip(rows.numbers, rows.texts, rows.labels, strict=True)
    return [PreviewRow(row=n, text=_shown(text), label=_shown(label)) for n, text, label in islice(first, PREVIEW_ROWS)]


def _shown(cell: str) -> str:
    return shorten(personal_data.mask(cell[: 10 * PREVIEW_CHARS]), PREVIEW_CHARS, placeholder=" ...")


def _choose(
    columns: Sequence[str],
    cells: Sequence[Sequence[str]],
    wanted: dict[str, str],
    want_label: bool,
    *,
    has_all: bool,
) -> ColumnChoice:
    if want_label:
        return choose_columns(columns, cells, **wanted, has_all=has_all)
    text = wanted["text_column"]
    if text != AUTO:
        return ColumnChoice(text if text in columns else None, None)
    return choose_text_column(columns, cells, has_all=has_all)


def _collect(rows: Rows, records: Iterable[Record], columns: Sequence[str]) -> None:
    text, label = rows.detected.text_column, rows.detected.label_column
    text_at = columns.index(text) if text is not None else None
    label_at = columns.index(label) if label is not None else None
    number = 0
    numbers, unreadable, texts, labels = array("q"), array("q"), Spool(), list[str]()
    names: dict[str, str] = {}
    for number, record in enumerate(records, 1):
        if isinstance(record, Unreadable):
            unreadable.append(number)
            if len(rows.unreadable) < MAX_ROWS_NAMED:
                excerpt = say(" ({text!r})", text=record.excerpt) if record.excerpt else ""
                rows.unreadable.append((number, say("{reason}{excerpt}", reason=record.reason, excerpt=excerpt)))
            continue
        text_cell = "" if text_at is None else record[text_at]
        label_cell = "" if label_at is None else record[label_at]
        if isinstance(text_cell, bytes) or isinstance(label_cell, bytes):
            _check_is_text({text: text_cell, label: label_cell}, f"{rows.file}: row {number:,}")
        numbers.append(number)
        texts.append(as_text(text_cell))
        name = as_text(label_cell)
        labels.append(names.setdefault(name, name))  # each spelling is kept once, however many rows have it
    rows.numbers, rows.texts, rows.labels, rows.num_rows = numbers, texts.finish(), labels, number
    rows.unreadable_numbers = unreadable


def _check_is_text(cells: Mapping[str | None, Any], where: str) -> None:
    for column, cell in cells.items():
        try:
            _ = cell.decode() if isinstance(cell, bytes) else cell
        except UnicodeDecodeError as error:
            raise DataUnreadable(
                say("{where}, column '{column}' holds bytes that are not text in UTF-8", where=where, column=column),
                hint="write the column as strings, or name another",
            ) from error

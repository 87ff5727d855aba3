"""A file or hub data set -> its texts and labels, with how it was read.

Whether the rows are fit for training is for `validation.py` to say.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from textwrap import shorten
from typing import Any

from app.data import hub, personal_data
from app.data.columns import ColumnChoice, choose_columns, choose_text_column
from app.data.line_rows import Unreadable
from app.data.progress import counted
from app.data.records import SAMPLE_ROWS, Source, as_text
from app.data.sources import open_source
from app.data.spool import Spool
from app.domain.data_report import MAX_ROWS_NAMED, Detected, PreviewRow
from app.domain.errors import DataUnreadable
from app.domain.train_config import AUTO

PREVIEW_ROWS = 3
PREVIEW_CHARS = 100
MAX_COLUMNS = 20_000
"""More than a workbook can have; with very many, each row is a long time in coming."""
MAX_ROW_BYTES = 2**31 - 1
"""What the csv module and file objects can count to; a larger bound means this one."""


@dataclass
class Rows:
    """What a source holds: parallel sequences of row numbers (from 1, header not counted), texts and labels.

    A missing cell is "". `unreadable` has at most 100 of the `unreadable_numbers`, each with the reason.
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
) -> Rows:
    """Read a file, a folder of class files or `hub:ID`; its layout is found out, its columns chosen where `auto`.

    Without `want_label` no column is taken for labels, and a .txt file is one text a line unless its column is given.
    `like` is how the training data was read: its columns are taken where this source has them too. Raises
    DataUnreadable where there is nothing to read, AmbiguousColumns where `auto` cannot choose.
    """
    bound = min(max_row_bytes, MAX_ROW_BYTES)
    asked = [column for column in (text_column, label_column) if column != AUTO]
    with ExitStack() as closing, _unchanged(source):
        opened = open_source(source, bound, asked, want_label, closing)
        return _read(opened, source, {"text_column": text_column, "label_column": label_column}, want_label, like)


@contextmanager
def _unchanged(source: str) -> Iterator[None]:
    """Refuse what was read of a file that was written to meanwhile: its rows may be of two versions."""
    path = Path(source).expanduser()
    before = path.stat() if not source.startswith(hub.PREFIX) and path.is_file() else None
    yield
    if before is None:
        return
    after = path.stat() if path.is_file() else None
    if after is None or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise DataUnreadable(f"{source} was changed while it was read", hint="wait until it is whole, and try again")


def _read(opened: Source, source: str, wanted: dict[str, str], want_label: bool, like: Detected | None) -> Rows:
    columns = opened.detected.columns
    if len(columns) > MAX_COLUMNS:
        raise DataUnreadable(
            f"{source} has {len(columns):,} columns; at most {MAX_COLUMNS:,} are read",
            hint="keep the text and the label; or is it the wrong mark that separates them?",
        )
    sample = list(islice(opened.records, SAMPLE_ROWS))
    cells = [[as_text(cell) for cell in row] for row in sample if not isinstance(row, Unreadable)]
    if not sample:
        what = "a header but no rows" if opened.detected.header else "no rows"
        example = "example, text and label" if want_label else "text"
        raise DataUnreadable(f"{source} has {what}", hint=f"write one row for each {example}")
    reasons = dict(opened.detected.reasons)
    given = dict(wanted)
    for role, asked in given.items():
        known = getattr(like, role, None)
        if asked == AUTO and known in columns:
            wanted = wanted | {role: known}
            reasons[role] = f"column '{known}', as in the training data"
    choice = _choose(columns, cells, wanted, want_label)
    detected = opened.detected.model_copy(
        update={
            "text_column": choice.text,
            "label_column": choice.label,
            "reasons": {**reasons, **choice.reasons},
        }
    )
    rows = Rows(source, opened.sha256, detected, given["text_column"], given["label_column"])
    records = counted(chain(sample, opened.records), "reading", _expected_rows(source, sample))
    _collect(rows, records, choice.text, choice.label)
    rows.detected = detected.model_copy(update={"preview": _preview(rows)})
    return rows


def _expected_rows(source: str, sample: Sequence[Sequence[Any] | Unreadable]) -> int | None:
    """About how many rows a text file has, by its size and that of the first rows; None where that says nothing."""
    path = Path(source).expanduser()
    num_bytes = sum(
        len(as_text(cell).encode("utf-8", "replace")) + 1 for row in sample for cell in row if cell is not None
    )
    if len(sample) < SAMPLE_ROWS or path.suffix.lower() in (".gz", ".zip", ".parquet", ".xlsx") or not path.is_file():
        return None
    return path.stat().st_size * len(sample) // max(1, num_bytes)


def _preview(rows: Rows) -> list[PreviewRow]:
    """The first rows as they were understood, shortened, personal data masked."""
    first = zip(rows.numbers, rows.texts, rows.labels, strict=True)
    return [PreviewRow(row=n, text=_shown(text), label=_shown(label)) for n, text, label in islice(first, PREVIEW_ROWS)]


def _shown(cell: str) -> str:
    return shorten(personal_data.mask(cell[: 10 * PREVIEW_CHARS]), PREVIEW_CHARS, placeholder=" ...")


def _choose(
    columns: Sequence[str], cells: Sequence[Sequence[str]], wanted: dict[str, str], want_label: bool
) -> ColumnChoice:
    if want_label:
        return choose_columns(columns, cells, **wanted)
    text = wanted["text_column"]
    return choose_text_column(columns, cells) if text == AUTO else ColumnChoice(text if text in columns else None, None)


def _collect(rows: Rows, records: Iterable[Sequence[Any] | Unreadable], text: str | None, label: str | None) -> None:
    columns = rows.detected.columns
    text_at = columns.index(text) if text is not None else None
    label_at = columns.index(label) if label is not None else None
    number = 0
    numbers, others, texts, labels = array("q"), array("q"), Spool(), list[str]()
    names: dict[str, str] = {}
    for number, record in enumerate(records, 1):
        if isinstance(record, Unreadable):
            others.append(number)
            if len(rows.unreadable) < MAX_ROWS_NAMED:
                excerpt = f" ({record.excerpt!r})" if record.excerpt else ""
                rows.unreadable.append((number, f"{record.reason}{excerpt}"))
            continue
        numbers.append(number)
        texts.append("" if text_at is None else as_text(record[text_at]))
        name = "" if label_at is None else as_text(record[label_at])
        labels.append(names.setdefault(name, name))  # each spelling is kept once, however many rows have it
    rows.numbers, rows.texts, rows.labels, rows.num_rows = numbers, texts.finish(), labels, number
    rows.unreadable_numbers = others

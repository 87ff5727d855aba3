"""A file or hub data set -> its texts and labels, with how it was read.

Whether the rows are fit for training is for `validation.py` to say.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from math import isfinite
from pathlib import Path
from textwrap import shorten
from typing import Any

from app.data import hub, personal_data
from app.data.columns import ColumnChoice, choose_columns, choose_text_column
from app.data.detection import (
    Dialect,
    Unreadable,
    alternatives,
    called,
    choose_dialect,
    choose_header,
    choose_mode,
    column_names,
    count_lost_lines,
    split_rows,
    whole_lines,
)
from app.data.encoding import Survey, bounded_lines, check_readable, open_text, survey
from app.data.json_records import json_document, json_lines
from app.data.labelled_lines import COLUMNS, is_labelled, labelled_rows
from app.domain.data_report import MAX_ROWS_NAMED, Detected, PreviewRow
from app.domain.errors import DataUnreadable
from app.domain.train_config import AUTO

SAMPLE_LINES = 2000
SAMPLE_ROWS = 5000
PREVIEW_ROWS = 3
PREVIEW_CHARS = 100
MAX_ROW_BYTES = 2**31 - 1
"""What the csv module and file objects can count to; a larger bound means this one."""

PARQUET_MAGIC = b"PAR1"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass
class Rows:
    """What a source holds: parallel lists of row numbers (from 1, header not counted), texts and labels.

    A missing cell is "". `unreadable` has at most 100 of the `num_unreadable` rows, each with the reason.
    """

    file: str
    sha256: str
    detected: Detected
    text_column: str
    label_column: str
    num_rows: int = 0
    numbers: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    num_unreadable: int = 0


@dataclass
class _Source:
    """Columns and records of a source before its text and label are picked out."""

    sha256: str
    detected: Detected
    records: Iterator[Sequence[Any] | Unreadable]


def as_text(value: Any) -> str:
    """A cell as text: whole floats without their fraction, lists and objects as JSON, nothing as ""."""
    if isinstance(value, str):
        return value if value.isascii() else _LONE_SURROGATE.sub("\ufffd", value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if not isfinite(value) else str(int(value)) if value.is_integer() else str(value)
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else str(value)


def _sample_lines(path: Path, found: Survey, max_row_bytes: int) -> list[str]:
    lines, size = [], 0
    with open_text(path, found) as file:
        for line in islice(bounded_lines(file, max_row_bytes), SAMPLE_LINES):
            lines.append(line)
            size += len(line)
            if size > max_row_bytes:
                break
    return lines


def _lines(path: Path, found: Survey, max_row_bytes: int) -> Iterator[str]:
    with open_text(path, found) as file:
        yield from bounded_lines(file, max_row_bytes)


def _read_delimited(path: Path, found: Survey, max_row_bytes: int, asked: Sequence[str]) -> _Source:
    csv.field_size_limit(max_row_bytes)
    sample = _sample_lines(path, found, max_row_bytes)
    reasons = {"encoding": found.reason}
    if is_labelled(sample):
        reasons["format"] = "its lines begin with __label__, as fastText writes them"
        detected = Detected(format="fasttext", encoding=found.encoding, header=False, columns=COLUMNS, reasons=reasons)
        return _Source(found.sha256, detected, labelled_rows(_lines(path, found, max_row_bytes)))
    dialect = choose_dialect(sample, path.suffix.lower())
    if dialect is None:
        dialect = Dialect("", "plain", 1)
        reasons["format"] = "no separator divides most of its lines, so each line is one text"
    else:
        ways = {way.mode: way for way in alternatives(dialect, sample)}
        if not found.has_quotes:
            ways.pop("plain", None)
        num_lost = {mode: count_lost_lines(_lines(path, found, max_row_bytes), way) for mode, way in ways.items()}
        mode, reasons["delimiter"] = choose_mode(num_lost, found.has_quotes)
        dialect = ways[mode]
        what = "a label and a text" if dialect.mode in ("first", "last") else f"{dialect.num_columns} columns"
        reasons["format"] = f"its lines have {what}, separated by {called(dialect.separator)}"
    first_rows = [row for row in split_rows(iter(sample), dialect) if not isinstance(row, Unreadable)]
    header = False
    if first_rows:
        header, reasons["header"] = choose_header(first_rows, asked)
    columns = column_names(first_rows[0] if header else None, dialect.num_columns)
    names = {"\t": "tsv", "": "text"}
    kind = "text" if dialect.mode in ("first", "last") else names.get(dialect.separator, "csv")
    records = split_rows(_lines(path, found, max_row_bytes), dialect)
    if header:
        records = _without_header(records)
    detected = Detected(
        format=kind,
        encoding=found.encoding,
        delimiter=dialect.separator or None,
        header=header,
        columns=columns,
        reasons=reasons,
    )
    return _Source(found.sha256, detected, records)


def _read_lines(path: Path, found: Survey, max_row_bytes: int) -> _Source:
    reasons = {"encoding": found.reason, "format": "each line of a .txt file is one text"}
    detected = Detected(format="text", encoding=found.encoding, header=False, columns=["1"], reasons=reasons)
    return _Source(found.sha256, detected, whole_lines(_lines(path, found, max_row_bytes)))


def _without_header(records: Iterator[list[str] | Unreadable]) -> Iterator[list[str] | Unreadable]:
    """Drop the first row that could be read; the header is no row."""
    dropped = False
    for record in records:
        if not dropped and not isinstance(record, Unreadable):
            dropped = True
            continue
        yield record


def _of_objects(
    objects: Iterable[dict[str, Any] | Unreadable],
) -> tuple[list[str], Iterator[Sequence[Any] | Unreadable]]:
    """Columns are the keys of the first objects in order of appearance; a key an object lacks is an empty cell."""
    objects = iter(objects)
    sample = list(islice(objects, SAMPLE_ROWS))
    columns = list(dict.fromkeys(key for item in sample if isinstance(item, dict) for key in item))
    rows = (i if isinstance(i, Unreadable) else [i.get(c) for c in columns] for i in chain(sample, objects))
    return columns, rows


def _json_kind(head: str, suffix: str) -> tuple[str, str] | None:
    """`json`, `jsonl` or None by how the text starts, with the reason."""
    start = head.lstrip("\ufeff \t\r\n")
    if start.startswith("[") and (suffix.startswith(".json") or start[1:].lstrip()[:1] in ("{", "]")):
        return "json", "it starts with the bracket of a list"
    if not start.startswith("{"):
        return None
    line, _, rest = start.partition("\n")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if suffix in (".jsonl", ".ndjson") or (isinstance(value, dict) and (rest.strip() or not _holds_rows(value))):
        return "jsonl", "its lines start as objects of their own"
    if value is None and not suffix.startswith(".json") and not re.match(r'\{\s*("|$)', start):
        return None
    return "json", "it starts with the brace of an object that spans lines or holds a list"


def _holds_rows(value: dict[str, Any]) -> bool:
    return any(isinstance(v, list) and (key == "data" or isinstance((v or [0])[0], dict)) for key, v in value.items())


def _read_json(path: Path, found: Survey, max_row_bytes: int, kind: str, reason: str) -> _Source:
    def objects() -> Iterator[dict[str, Any] | Unreadable]:
        with open_text(path, found) as file:
            if kind == "jsonl":
                yield from json_lines(bounded_lines(file, max_row_bytes))
            else:
                yield from json_document(file, path, max_row_bytes)

    columns, records = _of_objects(objects())
    reasons = {"encoding": found.reason, "format": reason}
    detected = Detected(format=kind, encoding=found.encoding, columns=columns, reasons=reasons)
    return _Source(found.sha256, detected, records)


def _read_parquet(path: Path) -> _Source:
    import hashlib

    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataUnreadable(f"{path} is a damaged parquet file: {error}", hint="write or copy it again") from error
    columns = list(file.schema_arrow.names)

    def records() -> Iterator[Sequence[Any]]:
        for batch in file.iter_batches(batch_size=10_000):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    with path.open("rb") as raw:
        sha256 = hashlib.file_digest(raw, "sha256").hexdigest()
    detected = Detected(format="parquet", columns=columns, reasons={"format": "it starts with the mark of parquet"})
    return _Source(sha256, detected, records())


def _read_hub(source: str) -> _Source:
    columns, records, sha256 = hub.load(source)
    return _Source(
        sha256, Detected(format="hub", columns=columns, reasons={"format": f"it starts with {hub.PREFIX}"}), records
    )


def _open_source(source: str, max_row_bytes: int, asked: Sequence[str], want_label: bool) -> _Source:
    if source.startswith(hub.PREFIX):
        return _read_hub(source)
    path = Path(source).expanduser()
    check_readable(path)
    with _reading(path), path.open("rb") as file:
        is_parquet = file.read(4) == PARQUET_MAGIC
    if is_parquet:
        return _read_parquet(path)
    found = survey(path)
    if not want_label and not asked and path.suffix.lower() == ".txt":
        return _read_lines(path, found, max_row_bytes)
    with _reading(path), open_text(path, found) as file_text:
        head = file_text.read(1 << 16)
    if kind := _json_kind(head, path.suffix.lower()):
        return _read_json(path, found, max_row_bytes, *kind)
    return _read_delimited(path, found, max_row_bytes, asked)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataUnreadable(
            f"cannot read {path}: {error.strerror or error}", hint="check its owner and permissions"
        ) from error


def read(
    source: str,
    *,
    text_column: str = AUTO,
    label_column: str = AUTO,
    want_label: bool = True,
    max_row_bytes: int = 8_000_000,
    like: Detected | None = None,
) -> Rows:
    """Read a file path or `hub:ID`; its layout is found out, its columns chosen where they are `auto`.

    Without `want_label` no column is taken for labels, and a .txt file is one text a line unless its column is given.
    `like` is how the training data was read: its columns are taken where this source has them too. Raises
    DataUnreadable where there is nothing to read, AmbiguousColumns where `auto` cannot choose.
    """
    bound = min(max_row_bytes, MAX_ROW_BYTES)
    opened = _open_source(source, bound, [c for c in (text_column, label_column) if c != AUTO], want_label)
    columns = opened.detected.columns
    sample = list(islice(opened.records, SAMPLE_ROWS))
    cells = [[as_text(cell) for cell in row] for row in sample if not isinstance(row, Unreadable)]
    if not sample:
        what = "a header but no rows" if opened.detected.header else "no rows"
        example = "example, text and label" if want_label else "text"
        raise DataUnreadable(f"{source} has {what}", hint=f"write one row for each {example}")
    reasons = dict(opened.detected.reasons)
    wanted = {"text_column": text_column, "label_column": label_column}
    for role, asked in wanted.items():
        known = getattr(like, role, None)
        if asked == AUTO and known in columns:
            wanted[role] = known
            reasons[role] = f"column '{known}', as in the training data"
    choice = _choose(columns, cells, wanted, want_label)
    detected = opened.detected.model_copy(
        update={
            "text_column": choice.text,
            "label_column": choice.label,
            "reasons": {**reasons, **choice.reasons},
        }
    )
    rows = Rows(source, opened.sha256, detected, text_column, label_column)
    _collect(rows, chain(sample, opened.records), choice.text, choice.label)
    rows.detected = detected.model_copy(update={"preview": _preview(rows)})
    return rows


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
    for number, record in enumerate(records, 1):
        if isinstance(record, Unreadable):
            rows.num_unreadable += 1
            if len(rows.unreadable) < MAX_ROWS_NAMED:
                excerpt = f" ({record.excerpt!r})" if record.excerpt else ""
                rows.unreadable.append((number, f"{record.reason}{excerpt}"))
            continue
        rows.numbers.append(number)
        rows.texts.append("" if text_at is None else as_text(record[text_at]))
        rows.labels.append("" if label_at is None else as_text(record[label_at]))
    rows.num_rows = number

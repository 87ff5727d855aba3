"""Files that hold a table of typed cells: Parquet files and Excel workbooks."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app.data.archives import MAX_RATIO, MAX_UNPACKED_BYTES, MIN_SUSPECT_BYTES
from app.data.columns import LABEL_NAMES, TEXT_NAMES, choose_columns, name_rank
from app.data.detection import choose_header, column_names
from app.data.encoding import file_sha256
from app.data.records import Source, as_text
from app.domain.data_report import Detected
from app.domain.errors import DataUnreadable, PlatformError

PARQUET_MAGIC = b"PAR1"
MAX_COLUMNS = 500
"""Beyond this only columns that were asked for, or are named like a text or a label, are read at all."""

MAX_DESCRIPTION_BYTES = 50_000_000
"""Of the columns at a Parquet file's end, half a million of them; reading it takes ten times as much memory."""

SAMPLE_ROWS = 200
_WORKBOOK = "xl/workbook.xml"


def read_parquet(path: Path, asked: Sequence[str]) -> Source:
    """The columns and rows of a Parquet file; nothing is converted of columns that cannot be the text or the label."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    _check_description(path)
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataUnreadable(f"{path} is a damaged parquet file: {error}", hint="write or copy it again") from error
    names = list(file.schema_arrow.names)
    columns, reason = names, "it starts with the mark of parquet"
    if len(names) > MAX_COLUMNS:
        columns = [c for c in names if c in asked or name_rank(c, TEXT_NAMES | LABEL_NAMES) == 2][:MAX_COLUMNS]
        reason += f"; of its {len(names):,} columns {len(columns)} are named like a text or a label, or were asked for"
        if not columns:
            raise DataUnreadable(
                f"{path} has {len(names):,} columns, and none is named like a text or a label",
                hint="name two of them with --text-column and --label-column",
            )

    def records() -> Iterator[Sequence[Any]]:
        try:
            for batch in file.iter_batches(batch_size=10_000, columns=columns):
                yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
        except (pa.ArrowException, OSError) as error:
            raise DataUnreadable(f"{path} is a damaged parquet file: {error}", hint="write or copy it again") from error

    return Source(file_sha256(path), Detected(format="parquet", columns=columns, reasons={"format": reason}), records())


def _check_description(path: Path) -> None:
    """Parquet ends with the description of its columns, its length in 4 bytes, and the mark."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 8))
        size = int.from_bytes(file.read(4), "little")
    if MAX_DESCRIPTION_BYTES < size < path.stat().st_size:
        raise DataUnreadable(
            f"{path} has too many columns: what describes them takes {size / 1e6:,.0f} MB",
            hint="write a file with the column of texts and that of labels only",
        )


def is_workbook(path: Path) -> bool:
    """Whether a zip file is an Excel workbook."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _WORKBOOK in archive.namelist()
    except zipfile.BadZipFile:
        return False


def read_workbook(path: Path, asked: Sequence[str], closing: ExitStack) -> Source:
    """The rows of the one sheet that has any, or of the one that has a text and a label column.

    Values, not formulas, as Excel last computed them. DataUnreadable where it is not clear which sheet is meant.
    """
    import openpyxl

    _check_size(path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        closing.callback(book.close)
        sheets = {sheet.title: sheet for sheet in book.worksheets}
        filled = {title: rows for title, sheet in sheets.items() if (rows := _head(sheet))}
    except PlatformError:
        raise
    except Exception as error:  # openpyxl raises whatever the damaged part makes of it
        raise DataUnreadable(f"{path} is a damaged workbook: {error}", hint="save it again, or as CSV UTF-8") from error
    if not filled:
        raise DataUnreadable(f"{path} has no sheet with rows", hint="write one row for each example, text and label")
    title = _choose_sheet(path, filled, asked)
    first = [[as_text(cell) for cell in row] for row in filled[title]]
    header, header_reason = choose_header(first, asked)
    width = max(map(len, first))
    columns = column_names(first[0] + [""] * (width - len(first[0])) if header else None, width)
    others = f"; its other sheets have none: {', '.join(sorted(set(sheets) - {title}))}" if len(sheets) > 1 else ""
    reasons = {
        "format": f"it is an Excel workbook; rows are on sheet '{title}'{others if len(filled) == 1 else ''}",
        "header": header_reason,
    }

    def records() -> Iterator[Sequence[Any]]:
        rows = (row for row in sheets[title].iter_rows(values_only=True) if any(cell is not None for cell in row))
        if header:
            next(rows, None)
        yield from ([*row, *[None] * (width - len(row))][:width] for row in rows)

    detected = Detected(format="xlsx", header=header, columns=columns, reasons=reasons)
    return Source(file_sha256(path), detected, records())


def _head(sheet: Any) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for row in sheet.iter_rows(values_only=True):
        last = max((place for place, cell in enumerate(row, 1) if cell is not None), default=0)
        if last:
            rows.append(row[:last])
        if len(rows) == SAMPLE_ROWS:
            break
    return rows


def _choose_sheet(path: Path, filled: dict[str, list[tuple[Any, ...]]], asked: Sequence[str]) -> str:
    if len(filled) == 1:
        return next(iter(filled))
    fit = [title for title, rows in filled.items() if _has_text_and_label(rows, asked)]
    if len(fit) == 1:
        return fit[0]
    raise DataUnreadable(
        f"{path} has rows on {len(filled)} sheets: {', '.join(filled)}",
        hint="keep the one that is meant, or save that sheet as CSV UTF-8",
    )


def _has_text_and_label(rows: list[tuple[Any, ...]], asked: Sequence[str]) -> bool:
    cells = [[as_text(cell) for cell in row] for row in rows]
    width = max(map(len, cells))
    header = choose_header(cells, asked)[0]
    columns = column_names(cells[0] + [""] * (width - len(cells[0])) if header else None, width)
    try:
        choice = choose_columns(columns, cells[1:] if header else cells)
    except PlatformError:
        return False
    return choice.text is not None and choice.label is not None


def _check_size(path: Path) -> None:
    """Workbooks are zip files; no more is read of a part than its entry says, so the entries can be believed."""
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > min(MAX_UNPACKED_BYTES, max(MIN_SUSPECT_BYTES, MAX_RATIO * path.stat().st_size)):
        raise DataUnreadable(
            f"{path} unpacks to {unpacked / 2**20:,.0f} MiB, {path.stat().st_size:,} bytes packed",
            hint="save the sheet as CSV UTF-8 if this workbook is sound",
        )

"""Excel workbooks: which sheet is meant, its columns and rows. Values, not formulas, as Excel last computed them."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app.data.archives import MAX_RATIO, MAX_UNPACKED_BYTES, MIN_SUSPECT_BYTES, UNPACK_ERRORS
from app.data.columns import choose_columns
from app.data.detection import choose_header, column_names
from app.data.encoding import file_sha256
from app.data.line_rows import Unreadable
from app.data.records import Record, Source, as_text
from app.domain.data_reading import AS_FOUND, ASKED, Reading
from app.domain.data_report import Detected
from app.domain.errors import DataUnreadable, PlatformError
from app.domain.wording import say, words

SAMPLE_ROWS = 200
SHEET_MARK = "#"
"""`FILE#SHEET` names a sheet of a workbook."""

_WORKBOOK = "xl/workbook.xml"
_HINT = say("save it again, or as CSV UTF-8")


def named_sheet(source: Path) -> tuple[Path, str | None]:
    """The file and the sheet that a source names; None where it names none."""
    name, mark, sheet = str(source).rpartition(SHEET_MARK)
    if not mark or source.exists() or not Path(name).is_file():
        return source, None
    return Path(name), sheet


def is_workbook(path: Path) -> bool:
    """Whether a zip file is an Excel workbook."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _WORKBOOK in archive.namelist()
    except UNPACK_ERRORS:
        return False


def read_workbook(
    path: Path,
    max_row_bytes: int,
    asked: Sequence[str],
    sheet: str | None,
    closing: ExitStack,
    reading: Reading = AS_FOUND,
) -> Source:
    """The rows of a `sheet`; without one those of the sheet that alone has any, or alone a text and a label column.

    DataUnreadable where it is not clear which sheet is meant, and where the workbook is damaged, naming the row.
    """
    import openpyxl

    _check_size(path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        closing.callback(book.close)
        sheets = {one.title: one for one in book.worksheets}
        filled = {title: rows for title, one in sheets.items() if (rows := _head(one))}
    except PlatformError:
        raise
    except Exception as error:  # openpyxl raises whatever the damaged part makes of it
        raise DataUnreadable(
            say("{path} is a damaged workbook: {error}", path=path, error=error), hint=_HINT
        ) from error
    if not filled:
        raise DataUnreadable(
            say("{path} has no sheet with rows", path=path), hint="write one row for each example, text and label"
        )
    title, why = _choose_sheet(path, list(sheets), filled, asked, sheet)
    first = [[as_text(cell) for cell in row] for row in filled[title]]
    header, header_reason = choose_header(first, asked) if reading.header == "auto" else (bool(reading.header), ASKED)
    width = max(map(len, first))
    columns = column_names(first[0] + [""] * (width - len(first[0])) if header else None, width)
    reasons = {
        "format": say("it is an Excel workbook; rows are on sheet '{sheet}'{why}", sheet=title, why=why),
        "header": header_reason,
    }
    detected = Detected(format="xlsx", header=header, columns=columns, reasons=reasons)
    records = _records(path, sheets[title], width, max_row_bytes, has_header=header)
    return Source(file_sha256(path), detected, records)


def _records(path: Path, sheet: Any, width: int, max_row_bytes: int, *, has_header: bool) -> Iterator[Record]:
    num_read, is_header = 0, has_header
    try:
        for row in sheet.iter_rows(values_only=True):
            num_read += 1
            if all(cell is None for cell in row):
                continue
            if is_header:
                is_header = False
            elif any(isinstance(cell, str) and len(cell) > max_row_bytes for cell in row):
                yield Unreadable(say("longer than data.max_row_bytes, so it was not read"), "")
            else:
                yield [*row, *[None] * (width - len(row))][:width]
    except Exception as error:  # as above
        where = f"sheet '{sheet.title}' after row {num_read:,}"
        raise DataUnreadable(
            say("{path} is a damaged workbook, {where}: {error}", path=path, where=where, error=error), hint=_HINT
        ) from error


def _head(sheet: Any) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for row in sheet.iter_rows(values_only=True):
        last = max((place for place, cell in enumerate(row, 1) if cell is not None), default=0)
        if last:
            rows.append(row[:last])
        if len(rows) == SAMPLE_ROWS:
            break
    return rows


def _choose_sheet(
    path: Path,
    titles: Sequence[str],
    filled: dict[str, list[tuple[Any, ...]]],
    asked: Sequence[str],
    sheet: str | None,
) -> tuple[str, str]:
    """The sheet that is meant, and why, as the end of a sentence."""
    if sheet is not None:
        if sheet not in titles:
            raise DataUnreadable(
                say("{path} has no sheet '{sheet}'", path=path, sheet=sheet),
                hint=say("its sheets are {titles}", titles=", ".join(titles)),
            )
        if sheet not in filled:
            raise DataUnreadable(
                say("{path}: sheet '{sheet}' has no rows", path=path, sheet=sheet),
                hint=say("rows are on {filled}", filled=", ".join(filled)),
            )
        return sheet, say(", which was asked for")
    if len(filled) == 1:
        title = next(iter(filled))
        others = sorted(set(titles) - {title})
        return title, say("; its other sheets have none: {sheets}", sheets=", ".join(others)) if others else ""
    fit = [title for title, rows in filled.items() if _has_text_and_label(rows, asked)]
    if len(fit) == 1:
        alone = words(", which alone of {count} has a text and a label in the first {rows} rows")
        return fit[0], say(alone, count=len(filled), rows=SAMPLE_ROWS)
    meant = (fit or list(filled))[0]
    raise DataUnreadable(
        say("{path} has rows on {count} sheets: {sheets}", path=path, count=len(filled), sheets=", ".join(filled)),
        hint=say(
            "name the one that is meant: '{path}{sheet_mark}{meant}'", path=path, sheet_mark=SHEET_MARK, meant=meant
        ),
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
            say(
                "{path} unpacks to {unpacked:,.0f} MiB, {st_size:,} bytes packed",
                path=path,
                unpacked=unpacked / 2**20,
                st_size=path.stat().st_size,
            ),
            hint="save the sheet as CSV UTF-8 if this workbook is sound",
        )

"""The rows of a source with all their columns, once more: what a cleaned copy keeps beside text and label."""

from collections.abc import Iterator
from contextlib import ExitStack

from app.data.line_rows import Unreadable
from app.data.readers import MAX_ROW_BYTES, Rows
from app.data.records import as_text
from app.data.sources import open_source
from app.data.stored import STORED_FORMAT
from app.domain.errors import DataUnreadable
from app.domain.train_config import AUTO
from app.domain.wording import say


def column_names(rows: Rows) -> list[str]:
    """The columns in their order; text and label have those names where the source has no header."""
    detected = rows.detected
    if detected.format == STORED_FORMAT:
        return ["text", "label"]
    names = list(detected.columns)
    if detected.header is False:
        roles = {detected.text_column: "text", detected.label_column: "label"}
        names = [roles.get(name, f"column_{name}") for name in names]
    return names


def with_new_cells(rows: Rows, cells: dict[int, tuple[str, str]]) -> Iterator[tuple[str, ...]]:
    """Rows of the source by number with text and label as in `cells`; the others are left out.

    DataUnreadable where the source is no longer what was read.
    """
    detected = rows.detected
    if detected.format == STORED_FORMAT:
        yield from cells.values()
        return
    places = [detected.columns.index(name) for name in (detected.text_column, detected.label_column) if name]
    asked = [name for name in (rows.text_column, rows.label_column) if name != AUTO]
    with ExitStack() as closing:
        opened = open_source(rows.file, MAX_ROW_BYTES, asked, True, closing)
        if opened.sha256 != rows.sha256:
            raise DataUnreadable(
                say("{file} was changed while it was read", file=rows.file), hint="try again when it is whole"
            )
        for number, record in enumerate(opened.records, 1):
            if number not in cells or isinstance(record, Unreadable):
                continue
            row = [as_text(cell) for cell in record]
            for place, cell in zip(places, cells[number], strict=True):
                row[place] = cell
            yield tuple(row)

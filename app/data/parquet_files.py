"""Parquet files: their columns and rows, a few rows at a time, so that no row group has to fit into memory."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.data.columns import LABEL_NAMES, TEXT_NAMES, name_rank
from app.data.encoding import file_sha256
from app.data.line_rows import Unreadable
from app.data.records import Record, Source
from app.domain.data_report import Detected
from app.domain.errors import DataUnreadable
from app.domain.wording import say

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAGIC = b"PAR1"
MAX_COLUMNS = 500
"""Beyond this only columns that were asked for, or are named like a text or a label, are read at all."""

MAX_DESCRIPTION_BYTES = 50_000_000
"""Of the columns at the file's end, half a million of them; reading it takes ten times as much memory."""

BUFFER_BYTES = 1 << 18
"""Of each column; pages are read through it one by one, where a whole row group would be read without."""

BATCH_BYTES = 32 * 2**20
MAX_BATCH_ROWS = 1024
MAX_GROUPS_LOOKED_AT = 100


def read_parquet(path: Path, max_row_bytes: int, asked: Sequence[str], closing: ExitStack) -> Source:
    """The columns and rows of a Parquet file; nothing is converted of columns that cannot be the text or the label.

    A row with a text longer than `max_row_bytes` is `Unreadable`. Raises DataUnreadable where the file is damaged, and
    where two columns have the same name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    _check_description(path)
    try:
        file = pq.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error
    closing.callback(file.close)
    names = list(file.schema_arrow.names)
    columns, reason = names, say("it starts with the mark of parquet")
    if len(names) > MAX_COLUMNS:
        columns = [c for c in names if c in asked or name_rank(c, TEXT_NAMES | LABEL_NAMES) == 2][:MAX_COLUMNS]
        reason = say(
            "it starts with the mark of parquet; of its {all:,} columns {count} are named like a text or a label, or "
            "were asked for",
            all=len(names),
            count=len(columns),
        )
        if not columns:
            raise DataUnreadable(
                say(
                    "{path} has {names:,} columns, and none is named like a text or a label",
                    path=path,
                    names=len(names),
                ),
                hint="name two of them with --text-column and --label-column",
            )
    if twice := [name for name, count in Counter(columns).items() if count > 1]:
        raise DataUnreadable(
            say(
                "{path} has {count} columns of the name '{twice}'",
                path=path,
                count=names.count(twice[0]),
                twice=twice[0],
            ),
            hint="write the file again with a name of its own for each column",
        )

    def only(wanted: Sequence[str]) -> Iterator[Record]:
        return _records(file, path, wanted, max_row_bytes)

    detected = Detected(format="parquet", columns=columns, reasons={"format": reason})
    return Source(file_sha256(path), detected, only(columns), only=only)


def _damaged(path: Path, error: Exception) -> DataUnreadable:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DataUnreadable(
        say("{path} is a damaged parquet file: {reason}", path=path, reason=reason), hint="write or copy it again"
    )


def _check_description(path: Path) -> None:
    """Parquet ends with the description of its columns, its length in 4 bytes, and the mark."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 8))
        size = int.from_bytes(file.read(4), "little")
    if MAX_DESCRIPTION_BYTES < size < path.stat().st_size:
        raise DataUnreadable(
            say("{path} has too many columns: what describes them takes {size:,.0f} MB", path=path, size=size / 1e6),
            hint="write a file with the column of texts and that of labels only",
        )


def _records(file: "pq.ParquetFile", path: Path, columns: Sequence[str], max_row_bytes: int) -> Iterator[Record]:
    import pyarrow as pa

    size = _batch_rows(file.metadata, columns)
    try:
        for batch in file.iter_batches(batch_size=size, columns=list(columns), use_threads=False):
            by_name = {name: batch.column(name) for name in columns}
            long = [name for name in columns if _longest(by_name[name]) > max_row_bytes]
            too_long = {row for name in long for row in _rows_above(by_name[name], max_row_bytes)}
            if too_long:
                by_name |= {name: _without(by_name[name], too_long) for name in long}
            cells = [_cells(by_name[name], name, path) for name in columns]
            for row, record in enumerate(zip(*cells, strict=True)):
                if row in too_long:
                    yield Unreadable(say("longer than data.max_row_bytes, so it was not read"), "")
                else:
                    yield record
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _batch_rows(metadata: "pq.FileMetaData", columns: Sequence[str]) -> int:
    """Rows that are decoded at once: as many as take about BATCH_BYTES.

    A column's values are as long as its bytes allow on average. Where those are few, one value may be repeated: then
    each may be as long as all of them.
    """
    wanted, rows = set(columns), MAX_BATCH_ROWS
    step = max(1, metadata.num_row_groups // MAX_GROUPS_LOOKED_AT)
    for group in map(metadata.row_group, range(0, metadata.num_row_groups, step)):
        total = 0
        for place in range(group.num_columns):
            column = group.column(place)
            if column.path_in_schema.partition(".")[0] in wanted:
                num_bytes = column.total_uncompressed_size
                total += num_bytes if num_bytes < BATCH_BYTES // 16 else num_bytes // max(1, group.num_rows)
        rows = min(rows, max(1, BATCH_BYTES // max(1, total)))
    return rows


def _lengths(column: "pa.Array") -> "pa.Array | None":
    """Bytes of each text; None where a column has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        lengths = _lengths(column.dictionary)
        return None if lengths is None else lengths.take(column.indices)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return pc.binary_length(column)
    return pc.binary_length(column.cast(pa.large_string())) if pa.types.is_string_view(column.type) else None


def _longest(column: "pa.Array") -> int:
    import pyarrow.compute as pc

    lengths = _lengths(column)
    return 0 if lengths is None else pc.max(lengths).as_py() or 0


def _rows_above(column: "pa.Array", max_row_bytes: int) -> list[int]:
    import pyarrow.compute as pc

    found: list[int] = pc.indices_nonzero(pc.greater(_lengths(column), max_row_bytes)).to_pylist()
    return found


def _without(column: "pa.Array", rows: set[int]) -> "pa.Array":
    """The column with nothing in some rows, so that what is too long is never made into text."""
    import pyarrow as pa

    return column.take(pa.array([None if row in rows else row for row in range(len(column))], pa.int64()))


def _cells(column: "pa.Array", name: str, path: Path) -> list[Any]:
    """The values of a column; a text that is not UTF-8 stays bytes."""
    import pyarrow as pa

    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            raise DataUnreadable(
                say("{path}: column '{name}' holds bytes that are not UTF-8", path=path, name=name),
                hint="write it as strings in UTF-8",
            ) from None
        values = [_decoded(value) for value in column.cast(pa.large_binary()).to_pylist()]
    except (ValueError, OverflowError, TypeError):  # moments that Python has no type for
        values = column.cast(pa.string()).to_pylist()
    return values


def _decoded(value: bytes | None) -> str | bytes | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return value

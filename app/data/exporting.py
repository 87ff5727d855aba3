"""Rows of a version -> a file for other programs: csv, tsv, jsonl or parquet, by its suffix."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from app.data.chunks import Example
from app.data.store_files import write_whole
from app.domain.errors import Conflict, InvalidInput
from app.domain.wording import say

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")


def export(examples: Sequence[Example], path: Path, *, with_split: bool) -> None:
    """Write a new file with the columns text and label, and split where asked; raises as `write_table`."""
    columns = ["text", "label", *(["split"] if with_split else [])]
    check_target(path, "--out")
    write_table(path, columns, [(row.text, row.label, row.split)[: len(columns)] for row in examples])


def check_target(path: Path, option: str) -> None:
    """InvalidInput where the suffix is none of FORMATS, Conflict where there is a file already; `option` named it."""
    if path.suffix.lower() not in FORMATS:
        raise InvalidInput(
            say("cannot tell the format of {path}", path=path),
            hint=say("its name ends in {formats}", formats=", ".join(FORMATS)),
        )
    if path.exists():
        raise Conflict(
            say("{path} exists already", path=path),
            hint=say("choose another {option}; nothing is overwritten", option=option),
        )


def write_table(path: Path, columns: list[str], rows: Sequence[tuple[object, ...]]) -> None:
    """Write a new file, whole or not at all, in the format of its suffix; Conflict when there is one already."""
    if not write_whole(path, _encode(columns, rows, path.suffix.lower()), exclusive=True):
        raise Conflict(say("{path} exists already", path=path), hint="choose another name; nothing is overwritten")


def write_batches(path: Path, columns: list[str], batches: Iterable[Sequence[tuple[str, ...]]]) -> int:
    """Write a new file piece by piece, in the format of its suffix, for rows that need not fit into memory.

    Returns the number of rows. What was written so far stays when something is raised.
    """
    num_rows = 0
    with ExitStack() as closing:
        write = _open_writer(path, columns, closing)
        for rows in batches:
            if rows:
                write(rows)
            num_rows += len(rows)
    return num_rows


def _open_writer(path: Path, columns: list[str], closing: ExitStack) -> Callable[[Sequence[tuple[str, ...]]], Any]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema([(column, pa.string()) for column in columns])
        writer = closing.enter_context(pq.ParquetWriter(path, schema))
        return lambda rows: writer.write_table(
            pa.table([pa.array(v, pa.string()) for v in zip(*rows, strict=True)], schema)
        )
    file = closing.enter_context(path.open("x", encoding="utf-8", newline=""))
    if suffix == ".jsonl":
        return lambda rows: file.write(_json_lines(columns, rows))
    table = _csv_writer(file, suffix)
    table.writerow(columns)
    write_rows: Callable[[Sequence[tuple[str, ...]]], Any] = table.writerows
    return write_rows


def _json_lines(columns: list[str], rows: Sequence[tuple[object, ...]]) -> str:
    return "".join(f"{json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False)}\n" for row in rows)


def _csv_writer(file: TextIO, suffix: str) -> Any:
    return csv.writer(file, delimiter="\t" if suffix == ".tsv" else ",", lineterminator="\n")


def _encode(columns: list[str], rows: Sequence[tuple[object, ...]], suffix: str) -> bytes:
    if suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        values = list(zip(*rows, strict=True)) or [()] * len(columns)
        file = io.BytesIO()
        pq.write_table(pa.table({k: pa.array(v, pa.string()) for k, v in zip(columns, values, strict=True)}), file)
        return file.getvalue()
    if suffix == ".jsonl":
        return _json_lines(columns, rows).encode()
    text = io.StringIO(newline="")
    writer = _csv_writer(text, suffix)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()

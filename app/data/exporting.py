"""Rows of a version -> a file for other programs: csv, tsv, jsonl or parquet, by its suffix."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from app.data.chunks import Example
from app.data.store_files import write_whole
from app.domain.errors import Conflict, InvalidInput

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")


def export(examples: Sequence[Example], path: Path, *, with_split: bool) -> None:
    """Write a new file with the columns text and label, and split where asked; raises as `write_table`."""
    columns = ["text", "label", *(["split"] if with_split else [])]
    check_target(path, "--out")
    write_table(path, columns, [(row.text, row.label, row.split)[: len(columns)] for row in examples])


def check_target(path: Path, option: str) -> None:
    """InvalidInput where the suffix is none of FORMATS, Conflict where there is a file already; `option` named it."""
    if path.suffix.lower() not in FORMATS:
        raise InvalidInput(f"cannot tell the format of {path}", hint=f"its name ends in {', '.join(FORMATS)}")
    if path.exists():
        raise Conflict(f"{path} exists already", hint=f"choose another {option}; nothing is overwritten")


def write_table(path: Path, columns: list[str], rows: Sequence[tuple[object, ...]]) -> None:
    """Write a new file, whole or not at all, in the format of its suffix; Conflict when there is one already."""
    if not write_whole(path, _encode(columns, rows, path.suffix.lower()), exclusive=True):
        raise Conflict(f"{path} exists already", hint="choose another name; nothing is overwritten")


def _encode(columns: list[str], rows: Sequence[tuple[object, ...]], suffix: str) -> bytes:
    if suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        values = list(zip(*rows, strict=True)) or [()] * len(columns)
        file = io.BytesIO()
        pq.write_table(pa.table({k: pa.array(v, pa.string()) for k, v in zip(columns, values, strict=True)}), file)
        return file.getvalue()
    if suffix == ".jsonl":
        lines = (json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) for row in rows)
        return "".join(f"{line}\n" for line in lines).encode()
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="\t" if suffix == ".tsv" else ",", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()

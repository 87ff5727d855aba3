"""Files of texts in, files of predictions out, for `finetune predict`."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.data.readers import read
from app.domain.errors import InvalidInput
from app.domain.train_config import AUTO
from app.runs.files import write_bytes_atomic

if TYPE_CHECKING:
    from app.cli.predictions import Answer

MAX_ROWS_SHOWN = 10
_FORMATS = (".csv", ".jsonl", ".parquet")


def read_texts(file: Path, text_column: str) -> list[str]:
    """The texts of a file, row by row; a row that cannot be read or has no text stops everything and is named."""
    rows = read(str(file), text_column=text_column, want_label=False)
    if rows.unreadable:
        number, reason = rows.unreadable[0]
        raise InvalidInput(
            f"{file}: row {number} cannot be read: {reason} ({rows.num_unreadable} such rows)",
            hint="`finetune data validate` lists them",
        )
    if rows.detected.text_column is None:
        raise InvalidInput(
            f"no column of {file} looks like texts" if text_column == AUTO else f"{file} has no column {text_column!r}",
            hint=f"--text-column is one of {', '.join(rows.detected.columns)}",
        )
    blank = [number for number, text in zip(rows.numbers, rows.texts, strict=True) if not text.strip()]
    if blank:
        numbers = ", ".join(map(str, blank[:MAX_ROWS_SHOWN])) + (", ..." if len(blank) > MAX_ROWS_SHOWN else "")
        what = f"row {numbers} has no text" if len(blank) == 1 else f"rows {numbers} have no text ({len(blank)} rows)"
        raise InvalidInput(f"{file}: {what}", hint="write a text there, or take the row out")
    return list(rows.texts)


def write_predictions(out: Path, texts: Sequence[str], answers: "Sequence[Answer]") -> None:
    """Write text, label id, label name and probability of each row in the format of the file's name, atomically."""
    records = [
        {"text": text, "label": a.label, "label_name": a.label_name, "probability": a.probability}
        for text, a in zip(texts, answers, strict=True)
    ]
    write_bytes_atomic(out, _encoded(out.suffix.lower(), records))


def check_out(out: Path) -> None:
    """InvalidInput when predictions cannot be written in the format of the file's name, or the file is there."""
    if out.suffix.lower() not in _FORMATS:
        raise InvalidInput(f"{out}: no such format", hint=f"the name ends in one of {', '.join(_FORMATS)}")
    if out.exists():
        raise InvalidInput(f"{out} exists already", hint="give --out another name; nothing is overwritten")


def _encoded(kind: str, records: list[dict[str, object]]) -> bytes:
    if kind == ".jsonl":
        return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()
    if kind == ".csv":
        sheet = io.StringIO()
        writer = csv.DictWriter(sheet, fieldnames=["text", "label", "label_name", "probability"])
        writer.writeheader()
        writer.writerows(records)
        return sheet.getvalue().encode()
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(records), sink)
    return sink.getvalue().to_pybytes()

"""Rows of any columns, written in parts that are whole or absent, and put together into one file at the end.

However often the writing is cut short, it goes on after the last whole part and gives the same file.
"""

import csv
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.data.store_files import storage_errors, write_whole

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = (".csv", ".jsonl", ".parquet")
Row = Sequence[Any]


class RowParts:
    """The parts of one file in a directory of their own; `schema` are the types of a Parquet file's columns."""

    def __init__(self, folder: Path, columns: Sequence[str], suffix: str, schema: "pa.Schema | None" = None) -> None:
        self._folder, self._columns, self._suffix, self._schema = folder, list(columns), suffix, schema

    def count(self) -> int:
        """How many parts there are, without a gap from the first."""
        number = 0
        while self._path(number).is_file():
            number += 1
        return number

    def summary(self, number: int) -> dict[str, Any]:
        """What was said of a part when it was written."""
        found: dict[str, Any] = json.loads(self._path(number).with_suffix(".json").read_text(encoding="utf-8"))
        return found

    def write(self, number: int, rows: Sequence[Row], summary: dict[str, Any]) -> None:
        """Write one part; what is said of it comes first, so that a part that is there has its summary."""
        path = self._path(number)
        write_whole(path.with_suffix(".json"), json.dumps(summary).encode())
        write_whole(path, self._encode(rows))

    def assemble(self, out: Path) -> None:
        """Write the whole file, which appears at once, and remove the parts."""
        aside = out.with_name(f".{out.name}.tmp")
        with storage_errors(out):
            if self._suffix == ".parquet":
                self._assemble_parquet(aside)
            else:
                with aside.open("wb") as file:
                    if self._suffix == ".csv":
                        file.write(_csv([self._columns]))
                    for number in range(self.count()):
                        with self._path(number).open("rb") as part:
                            shutil.copyfileobj(part, file)
            aside.replace(out)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _assemble_parquet(self, aside: Path) -> None:
        import pyarrow.parquet as pq

        with pq.ParquetWriter(aside, self._typed()) as writer:
            for number in range(self.count()):
                writer.write_table(pq.read_table(self._path(number), schema=self._typed()))

    def _path(self, number: int) -> Path:
        return self._folder / f"part-{number:06d}{self._suffix}"

    def _encode(self, rows: Sequence[Row]) -> bytes:
        if self._suffix == ".csv":
            return _csv(rows)
        if self._suffix == ".jsonl":
            lines = (
                json.dumps(dict(zip(self._columns, row, strict=True)), ensure_ascii=False, default=str) for row in rows
            )
            return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = self._typed()
        values = list(zip(*rows, strict=True))
        table = pa.table([pa.array(cells, field.type) for cells, field in zip(values, schema, strict=True)], schema)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        content: bytes = sink.getvalue().to_pybytes()
        return content

    def _typed(self) -> "pa.Schema":
        assert self._schema is not None, "a Parquet file has types"
        return self._schema


def _csv(rows: Sequence[Row]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(["" if cell is None else cell for cell in row] for row in rows)
    return text.getvalue().encode("utf-8", "replace")

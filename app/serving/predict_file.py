"""`python -m app.serving.predict_file WORK_DIRECTORY`: label every row of a file with a finished run.

Rows come from a stream and go to a stream, in the format they came in, with all their columns; whatever interrupts it,
it goes on where it was. The work's payload: `run`, the directory of a finished run; `source`, the file; `text_column`.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.data.columns import choose_text_column
from app.data.line_rows import Unreadable
from app.data.records import SAMPLE_ROWS, Source, as_text
from app.data.row_parts import RowParts
from app.data.sources import open_source
from app.domain.errors import DataUnreadable, InvalidInput, NotFound
from app.domain.events import Progressed
from app.domain.train_config import AUTO
from app.runs.directory import RunDirectory
from app.runs.files import read_json, sha256_file, write_json
from app.runs.turn import Turn
from app.runs.work import WorkDirectory, WorkOrder, carry_out, check_turn
from app.settings import share_cores

if TYPE_CHECKING:
    import pyarrow as pa

    from app.serving.predictor import Predictor

ROWS_A_PART = 512
MAX_ROW_BYTES = 8_000_000
RESULT_COLUMNS = ("predicted_label", "predicted_label_id", "predicted_probability")
Record = Sequence[Any] | Unreadable


@dataclass(frozen=True)
class _Input:
    """A file that is open: its columns, which of them has the texts, its records, and how many there are, if known."""

    columns: list[str]
    text_at: int
    records: Iterator[Record]
    num_rows: int | None
    suffix: str
    schema: "pa.Schema | None"


def predict_file(work: WorkDirectory, order: WorkOrder, turn: Turn) -> dict[str, Any]:
    """Label the rows that are left, put all together, and say what came of it."""
    from app.serving.predictor import load_run

    source = work.results_dir / str(order.payload["source"])
    if not source.is_file():
        raise NotFound("the file of this task is not here any more", hint="send it again", code="upload.gone")
    run = RunDirectory(work.results_dir / str(order.payload["run"]))
    predictor = load_run(run)
    with ExitStack() as closing:
        opened = _open(source, str(order.payload.get("text_column") or AUTO), closing)
        out, said = work.path / f"predictions{opened.suffix}", work.path / "summary.json"
        parts = RowParts(work.path / "parts", _out_columns(opened.columns), opened.suffix, opened.schema)
        if not said.is_file():
            _label_rest(opened, parts, predictor, turn)
            check_turn(turn)
            write_json(said, _total(parts))
        if not out.is_file():
            parts.assemble(out)
    size, digest = out.stat().st_size, sha256_file(out)
    return {"run": run.name, "file": out.name, "bytes": size, "sha256": digest, **read_json(said)}


def _open(path: Path, text_column: str, closing: ExitStack) -> _Input:
    source = open_source(str(path), MAX_ROW_BYTES, [] if text_column == AUTO else [text_column], False, closing)
    sample = list(islice(source.records, SAMPLE_ROWS))
    columns = source.detected.columns
    if not sample:
        raise DataUnreadable("the file has no rows", hint="write one row for each text")
    cells = [[as_text(cell) for cell in row] for row in sample if not isinstance(row, Unreadable)]
    chosen = choose_text_column(columns, cells).text if text_column == AUTO else text_column
    if chosen is None or chosen not in columns:
        what = "no column looks like texts" if text_column == AUTO else f"there is no column {text_column!r}"
        raise InvalidInput(what, hint=f"text_column is one of {', '.join(columns[:50])}")
    return _Input(
        columns=columns,
        text_at=columns.index(chosen),
        records=_chained(sample, source.records),
        num_rows=_num_rows(path, source, sample),
        suffix=_suffix(source.detected.format),
        schema=_schema(path, columns) if source.detected.format == "parquet" else None,
    )


def _chained(first: list[Record], rest: Iterator[Record]) -> Iterator[Record]:
    yield from first
    yield from rest


def _suffix(file_format: str) -> str:
    return {"parquet": ".parquet", "jsonl": ".jsonl", "json": ".jsonl"}.get(file_format, ".csv")


def _schema(path: Path, columns: Sequence[str]) -> "pa.Schema":
    import pyarrow as pa
    import pyarrow.parquet as pq

    known = pq.read_schema(path)
    added = zip(_result_columns(columns), (pa.string(), pa.int64(), pa.float64()), strict=True)
    return pa.schema([*(known.field(name) for name in columns), *added])


def _num_rows(path: Path, source: Source, sample: Sequence[Record]) -> int | None:
    """How many rows there are: exactly of Parquet, by the size of the first ones of a plain file, else None."""
    if source.detected.format == "parquet":
        import pyarrow.parquet as pq

        return int(pq.read_metadata(path).num_rows)
    if len(sample) < SAMPLE_ROWS:
        return len(sample)
    with path.open("rb") as file:
        if file.read(2) in (b"PK", b"\x1f\x8b"):
            return None
    num_bytes = sum(
        sum(len(as_text(cell).encode("utf-8", "replace")) + 1 for cell in row)
        for row in sample
        if not isinstance(row, Unreadable)
    )
    return max(len(sample), path.stat().st_size * len(sample) // max(1, num_bytes))


def _result_columns(columns: Sequence[str]) -> list[str]:
    """Names for what is added that no column of the file has."""
    return [name if name not in columns else f"{name}_by_finetune" for name in RESULT_COLUMNS]


def _out_columns(columns: Sequence[str]) -> list[str]:
    return [*columns, *_result_columns(columns)]


def _label_rest(opened: _Input, parts: RowParts, predictor: "Predictor", turn: Turn) -> None:
    number = parts.count()
    done = first = sum(1 for _ in islice(opened.records, number * ROWS_A_PART))
    began = time.monotonic()
    while rows := list(islice(opened.records, ROWS_A_PART)):
        labelled, summary = _label(rows, opened, predictor)
        check_turn(turn)
        parts.write(number, labelled, summary)
        number, done = number + 1, done + len(rows)
        turn.report(_progress(done, first, opened.num_rows, time.monotonic() - began))


def _progress(done: int, first: int, total: int | None, seconds: float) -> Progressed:
    if total is None:
        return Progressed(done=done, share=0.0)
    total = max(total, done)
    rate = (done - first) / max(seconds, 1e-9)
    return Progressed(done=done, total=total, share=done / total, eta_seconds=(total - done) / rate if rate else None)


def _label(rows: list[Record], opened: _Input, predictor: "Predictor") -> tuple[list[list[Any]], dict[str, Any]]:
    """The rows with their labels; those without a text, or that cannot be read, get none."""
    texts = ["" if isinstance(row, Unreadable) else as_text(row[opened.text_at]) for row in rows]
    wanted = [index for index, text in enumerate(texts) if text.strip()]
    answers = dict(zip(wanted, predictor.predict([texts[index] for index in wanted]), strict=True))
    labelled, labels = [], Counter[str]()
    for index, row in enumerate(rows):
        cells = [None] * len(opened.columns) if isinstance(row, Unreadable) else list(row)
        if answer := answers.get(index):
            labels[answer.label_name] += 1
            labelled.append([*cells, answer.label_name, answer.label, answer.probability])
        else:
            labelled.append([*cells, None, None, None])
    return labelled, {"rows": len(rows), "without_label": len(rows) - len(wanted), "labels": labels}


def _total(parts: RowParts) -> dict[str, Any]:
    labels, rows, without = Counter[str](), 0, 0
    for number in range(parts.count()):
        summary = parts.summary(number)
        rows, without = rows + summary["rows"], without + summary["without_label"]
        labels.update(summary["labels"])
    return {"rows": rows, "without_label": without, "labels": dict(labels)}


def main() -> int:
    """Do the work of the directory the command line names."""
    share_cores()
    return carry_out(Path(sys.argv[1]), predict_file)


if __name__ == "__main__":
    sys.exit(main())

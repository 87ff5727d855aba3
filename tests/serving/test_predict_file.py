"""A file of rows labelled by a run: in the format it came in, however often it is interrupted."""

import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.domain.errors import InvalidInput
from app.domain.events import Progressed, ResultGiven, RunFinished
from app.domain.task import TaskKind, TaskState
from app.runs.directory import RunDirectory
from app.runs.event_log import read_events
from app.runs.lock import next_attempt
from app.runs.turn import Turn
from app.runs.work import WorkDirectory, WorkOrder, read_order, work_directory, write_order
from app.serving.predict_file import predict_file
from app.serving.predictor import Predictor

Order = Callable[..., WorkDirectory]


@pytest.fixture
def order(finished_run: RunDirectory) -> Order:
    """`order(file_name, content, text_column="auto")`: the directory of a prediction over such a file."""
    number = 0

    def make(name: str, content: bytes, text_column: str = "auto") -> WorkDirectory:
        nonlocal number
        number += 1
        results = finished_run.results_dir
        work = work_directory(results, TaskKind.PREDICT, f"task-{time.monotonic_ns()}-{number}")
        work.path.mkdir(parents=True)
        source = work.path / name
        source.write_bytes(content)
        payload = {
            "run": finished_run.name,
            "source": source.relative_to(results).as_posix(),
            "text_column": text_column,
        }
        write_order(work, WorkOrder(task_id=work.name, kind=TaskKind.PREDICT, payload=payload))
        return work

    return make


def do(work: WorkDirectory) -> dict[str, Any]:
    return predict_file(work, read_order(work), Turn(work, None))


def test_rows_keep_their_columns_and_get_the_runs_answers(order: Order, predictor: Predictor) -> None:
    texts = ["a lovely film", 'dull, and "far" too long', "Ein schöner Film — 很好看"]
    lines = ["id;review;label"] + [f'{n};"{text.replace(chr(34), chr(34) * 2)}";x' for n, text in enumerate(texts)]
    work = order("in.csv", "\n".join([*lines, "3;  ;x"]).encode())
    result = do(work)
    assert {key: result[key] for key in ("run", "file", "rows", "without_label")} == {
        "run": "served-001", "file": "predictions.csv", "rows": 4, "without_label": 1,
    }  # fmt: skip
    with (work.path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["review"].strip() for row in rows] == [*texts, ""]
    answers = predictor.predict(texts)
    assert [row["predicted_label"] for row in rows] == [*(answer.label_name for answer in answers), ""]
    assert [row["predicted_label_id"] for row in rows[:3]] == [str(answer.label) for answer in answers]
    assert [float(row["predicted_probability"]) for row in rows[:3]] == pytest.approx(
        [answer.probability for answer in answers], abs=1e-5
    )
    assert sum(result["labels"].values()) == 3
    assert not (work.path / "parts").exists()


def test_json_lines_stay_json_lines(order: Order) -> None:
    records = [{"text": "good", "n": 1, "tags": ["a"]}, {"text": "bad", "n": None, "tags": []}]
    work = order("in.jsonl", "".join(json.dumps(record) + "\n" for record in records).encode())
    do(work)
    written = [json.loads(line) for line in (work.path / "predictions.jsonl").read_text().splitlines()]
    assert [{key: row[key] for key in ("text", "n", "tags")} for row in written] == records
    assert all(row["predicted_label"] in ("negative", "positive") for row in written)


def test_parquet_keeps_its_types(order: Order, tmp_path: Path) -> None:
    table = pa.table(
        {"text": ["good film", "bad film"] * 400, "when": pa.array([1, None] * 400, pa.timestamp("ms")),
         "label": pa.array(["x", "y"] * 400).dictionary_encode()}
    )  # fmt: skip
    pq.write_table(table, tmp_path / "in.parquet")
    work = order("in.parquet", (tmp_path / "in.parquet").read_bytes())
    assert do(work)["rows"] == 800
    written = pq.read_table(work.path / "predictions.parquet")
    assert written.select(["text", "when"]).equals(table.select(["text", "when"]))
    assert written.schema.field("when").type == pa.timestamp("ms")
    assert written["label"].to_pylist() == table["label"].to_pylist()
    assert written.schema.field("predicted_label_id").type == pa.int64()


def test_a_column_that_is_not_there_is_named(order: Order) -> None:
    with pytest.raises(InvalidInput, match="no column 'body'"):
        do(order("in.csv", b"id,text\n1,good\n2,bad\n", text_column="body"))


def test_what_is_stopped_goes_on_where_it_was_and_ends_the_same(order: Order) -> None:
    lines = [f"{n},a film number {n} that is {'good' if n % 3 else 'bad'}" for n in range(4000)]
    content = "\n".join(["id,text", *lines]).encode()
    straight, disturbed = order("in.csv", content), order("in.csv", content)
    do(straight)

    def begin(attempt: int) -> "subprocess.Popen[bytes]":
        next_attempt(disturbed, f"token {attempt}")
        command = [sys.executable, "-m", "app.serving.predict_file", str(disturbed.path)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)

    def progressed(attempt: int) -> list[int]:
        events = read_events(disturbed.events)
        return [e.done for e in events if isinstance(e, Progressed) and e.attempt == attempt]

    process, deadline = begin(1), time.monotonic() + 300
    while not progressed(1):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.terminate()
    assert process.wait(300) == 3
    assert begin(2).wait(300) == 0

    assert progressed(1)[0] == 512
    assert progressed(2)[0] == progressed(1)[-1] + 512
    *_, said, last = read_events(disturbed.events)
    assert isinstance(said, ResultGiven)
    assert said.result["rows"] == 4000
    assert isinstance(last, RunFinished)
    assert last.state is TaskState.SUCCESS
    assert (disturbed.path / "predictions.csv").read_bytes() == (straight.path / "predictions.csv").read_bytes()

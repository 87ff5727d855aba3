"""What a run's evaluation leaves on disk: report.html, evaluation.json, two pictures, predictions.parquet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from app.domain.data_report import DataReport
from app.domain.events import Event
from app.domain.manifest import Proof
from app.domain.plan import TrainingPlan
from app.runs.directory import RunDirectory
from app.runs.files import write_bytes_atomic, write_json
from app.train.evaluation import Evaluation
from app.train.metrics import Floats, Integers, log_softmax
from app.train.reporting.page import render_page
from app.train.reporting.pictures import draw_calibration, draw_confusion


def write_report(
    run: RunDirectory,
    plan: TrainingPlan,
    evaluations: dict[str, Evaluation],
    events: list[Event],
    train_summary: dict[str, Any],
    data_report: DataReport,
    proof: Proof | None,
) -> None:
    """Write report.html, evaluation.json, confusion.png and calibration.png into `run.evaluation`.

    `evaluations` has `eval`, and `test` where test data was given; the pictures show `eval`. `train_summary` is the
    `train` part of metrics.json. Each file is written whole or not at all.
    """
    page = render_page(run.name, plan, evaluations, events, train_summary, data_report, proof)
    write_bytes_atomic(run.evaluation / "report.html", page.encode())
    write_json(run.evaluation / "evaluation.json", {split: _measured(one) for split, one in evaluations.items()})
    write_bytes_atomic(run.evaluation / "confusion.png", draw_confusion(evaluations["eval"]))
    write_bytes_atomic(run.evaluation / "calibration.png", draw_calibration(evaluations["eval"].calibration))


def _measured(evaluation: Evaluation) -> dict[str, Any]:
    """All of an evaluation; of the confusion matrix the cells that have rows: given label id, predicted one, rows."""
    values = evaluation.model_dump(mode="json")
    counts = np.array(evaluation.confusion)
    values["confusion"] = [[*cell, int(counts[*cell])] for cell in np.argwhere(counts).tolist()]
    return values


def write_predictions(
    path: Path,
    texts: Sequence[str],
    label_ids: Integers,
    logits: Floats,
    labels: Sequence[str],
    splits: Sequence[str] | None = None,
) -> None:
    """Write predictions.parquet: one line a row with its text, given and predicted label, probability and logits.

    `splits` names the split of each row (`eval` for all where it is left out); `row` counts from 1 within a split.
    """
    label_ids, logits = np.asarray(label_ids), np.asarray(logits, dtype=np.float32)
    split_of_row = list(splits) if splits is not None else ["eval"] * len(texts)
    predicted = logits.argmax(axis=1)
    names = np.array(labels, dtype=object)
    row_in_split, counted = [], dict.fromkeys(split_of_row, 0)
    for split in split_of_row:
        counted[split] += 1
        row_in_split.append(counted[split])
    table = pa.table(
        {
            "split": split_of_row,
            "row": pa.array(row_in_split, pa.int64()),
            "text": pa.array(list(texts), pa.string()),
            "label": pa.array(names[label_ids], pa.string()),
            "predicted": pa.array(names[predicted], pa.string()),
            "probability": pa.array(np.exp(log_softmax(logits).max(axis=1)), pa.float32()),
            "logits": pa.array(list(logits), pa.list_(pa.float32())),
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write_bytes_atomic(path, sink.getvalue().to_pybytes())

"""The rows of a file whose label is probably wrong, most doubtful first, by the file's row numbers."""

from collections.abc import Callable

import numpy as np
from pydantic import BaseModel, ConfigDict

from app.data.label_errors import suspects
from app.data.labels import label_order
from app.data.out_of_fold import out_of_fold_probabilities
from app.data.readers import Rows
from app.domain.errors import DataUnreadable


class SuspectedLabel(BaseModel):
    """One row: `row` from 1, header not counted; `confidence` is the probability of the suggested label."""

    model_config = ConfigDict(frozen=True)

    row: int
    given: str
    suggested: str
    confidence: float
    given_probability: float
    text: str


def suspected_labels(rows: Rows, progress: Callable[[int, int], None] | None = None) -> list[SuspectedLabel]:
    """Suspects among the rows with text and label; DataUnreadable where there are fewer than two labels."""
    usable = [i for i, text in enumerate(rows.texts) if text.strip() and rows.labels[i].strip()]
    labels = label_order(rows.labels[i] for i in usable)
    if len(labels) < 2:
        raise DataUnreadable(f"{rows.file} has fewer than two labels", hint=f"finetune data validate {rows.file}")
    ids = {label: number for number, label in enumerate(labels)}
    given = np.array([ids[rows.labels[i]] for i in usable], np.int64)
    probabilities = out_of_fold_probabilities([rows.texts[i] for i in usable], given, len(labels), progress)
    return [
        SuspectedLabel(
            row=rows.numbers[usable[one.row]],
            given=labels[one.given],
            suggested=labels[one.suggested],
            confidence=one.confidence,
            given_probability=one.score,
            text=rows.texts[usable[one.row]],
        )
        for one in suspects(given, probabilities)
    ]

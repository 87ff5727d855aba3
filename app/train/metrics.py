"""Scores of a classifier from counts of (given, predicted) pairs; cheap enough to run after every evaluation.

Intervals, calibration and what a reader should conclude are `evaluator.py`'s. Shape suffixes: N rows, C labels.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]
Counts = npt.NDArray[np.float64]


def log_softmax(logits_NC: Floats) -> npt.NDArray[np.float64]:
    """Natural log of each label's probability, computed in float64."""
    shifted_NC = logits_NC.astype(np.float64)
    shifted_NC -= shifted_NC.max(axis=1, keepdims=True)
    shifted_NC -= np.log(np.exp(shifted_NC).sum(axis=1, keepdims=True))
    return shifted_NC


def cross_entropy(logits_NC: Floats, label_ids_N: Integers) -> float:
    """Mean negative natural log of the given label's probability."""
    return float(-log_softmax(logits_NC)[np.arange(len(label_ids_N)), label_ids_N].mean())


def confusion_matrix(label_ids_N: Integers, predicted_N: Integers, num_labels: int) -> npt.NDArray[np.int64]:
    """C x C row counts; the first axis is the given label, the second the predicted one."""
    cells_N = label_ids_N.astype(np.int64) * num_labels + predicted_N
    return np.bincount(cells_N, minlength=num_labels**2).reshape(num_labels, num_labels)


def ratio(numerator: Counts, denominator: Counts) -> Counts:
    """Element-wise quotient; 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator, dtype=np.float64), where=denominator > 0)


def macro_f1(hits: Counts, given: Counts, predicted: Counts) -> Counts:
    """Mean F1 over the labels that occur, given or predicted, as scikit-learn does; labels are the last axis."""
    f1 = ratio(2 * hits, given + predicted)
    occurring = ((given + predicted) > 0).sum(axis=-1)
    return ratio(f1.sum(axis=-1), occurring.astype(np.float64))


def weighted_f1(hits: Counts, given: Counts, predicted: Counts) -> Counts:
    """Mean F1 weighted by the number of given rows of each label; labels are the last axis."""
    f1 = ratio(2 * hits, given + predicted)
    return ratio((f1 * given).sum(axis=-1), given.sum(axis=-1))


def score(logits_NC: Floats, label_ids_N: Integers) -> dict[str, float]:
    """Accuracy, macro F1, weighted F1 and loss (mean cross entropy, natural log) of at least one row.

    Labels no row has count in macro F1 only when predicted; nothing warns when a class is never predicted.
    """
    matrix = confusion_matrix(label_ids_N, logits_NC.argmax(axis=1), logits_NC.shape[1]).astype(np.float64)
    hits, given, predicted = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    return {
        "accuracy": float(hits.sum() / matrix.sum()),
        "macro_f1": float(macro_f1(hits, given, predicted)),
        "weighted_f1": float(weighted_f1(hits, given, predicted)),
        "loss": cross_entropy(logits_NC, label_ids_N),
    }

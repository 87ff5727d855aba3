"""Confident learning: which given labels are probably wrong, from out-of-sample probabilities. Fits no model.

Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70.
Shapes: N rows, C classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Suspect:
    """A row (0-based) whose label is doubted.

    `confidence` is the suggested label's probability, `score` the given one's.
    """

    row: int
    given: int
    suggested: int
    confidence: float
    score: float


def thresholds(given_N: Ints, probs_NC: Floats) -> Floats:
    """(C,) mean probability of class j over the rows labelled j (section 3.1); infinite where no row is."""
    return np.array(
        [probs_NC[given_N == j, j].mean() if (given_N == j).any() else np.inf for j in range(probs_NC.shape[1])]
    )


def calibrated_joint(given_N: Ints, probs_NC: Floats) -> Floats:
    """(C, C) expected rows with given label i and true label j; row i adds up to the rows labelled i (equation 3)."""
    num_classes = probs_NC.shape[1]
    above_NC = np.where(probs_NC >= thresholds(given_N, probs_NC), probs_NC, -np.inf)
    counted_N = np.isfinite(above_NC).any(axis=1)
    joint_CC = np.zeros((num_classes, num_classes))
    np.add.at(joint_CC, (given_N[counted_N], above_NC[counted_N].argmax(axis=1)), 1)
    empty_C = joint_CC.sum(axis=1) == 0
    joint_CC[empty_C, empty_C] = 1
    sizes_C = np.bincount(given_N, minlength=num_classes)
    scaled: Floats = joint_CC / joint_CC.sum(axis=1, keepdims=True) * sizes_C[:, None]
    return scaled


def suspects(given_N: Ints, probs_NC: Floats) -> list[Suspect]:
    """Prune by noise rate (section 3.2): of each pair (i, j) as many rows as expected, by margin p_j - p_i.

    The row whose given label is least probable comes first: on planted flips that ranks better than the margin.
    `probs_NC` must come from models that did not see the row. One whose given label is the most probable is never one.
    """
    joint_CC = calibrated_joint(given_N, probs_NC)
    own_N = probs_NC[np.arange(len(given_N)), given_N]
    best_N = probs_NC.argmax(axis=1)
    chosen: set[int] = set()
    for i, j in zip(*np.nonzero(np.round(joint_CC)), strict=True):
        if i != j:
            rows = np.flatnonzero(given_N == i)
            order = np.argsort(own_N[rows] - probs_NC[rows, j], kind="stable")
            chosen.update(rows[order[: round(joint_CC[i, j])]].tolist())
    found = [
        Suspect(n, int(given_N[n]), int(best_N[n]), float(probs_NC[n, best_N[n]]), float(own_N[n]))
        for n in chosen
        if best_N[n] != given_N[n]
    ]
    return sorted(found, key=lambda suspect: (suspect.score, suspect.row))

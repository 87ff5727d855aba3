"""Confident learning: which given labels are probably wrong, from out-of-sample probabilities. Fits no model.

Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70: labels are
counted by the confident joint and pruned by noise rate. What is kept of a row are its most probable labels alone, so
that memory does not grow with the number of labels. Shapes: N rows, C labels, K labels kept of a row.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LABELS_KEPT = 20
"""K: the most probable labels of a row; with no more labels than these nothing is left out."""

STRONG_ODDS = 1 / 20
"""At these odds of the given label to the suggested one a doubt is strong: of planted errors such doubts find fewer,
but most of them are right (`docs/benchmarks/label_errors.md`)."""


@dataclass(frozen=True)
class LabelProbabilities:
    """What a model that has not seen a row says of its label.

    `own` (N,) is the given label's probability, not a number where the row cannot be judged; `labels` and `probs`
    (N, K) are the most probable labels, best first.
    """

    own: Floats
    labels: Ints
    probs: Floats

    @classmethod
    def of(cls, given_N: Ints, probs_NC: Floats) -> Self:
        """Of all probabilities; a row of which one is not a number cannot be judged."""
        num_kept = min(LABELS_KEPT, probs_NC.shape[1])
        top_NK = np.argpartition(-probs_NC, num_kept - 1, axis=1)[:, :num_kept]
        top_NK = np.take_along_axis(
            top_NK, np.argsort(-np.take_along_axis(probs_NC, top_NK, axis=1), axis=1, kind="stable"), axis=1
        )
        own_N = np.where(np.isnan(probs_NC).any(axis=1), np.nan, probs_NC[np.arange(len(given_N)), given_N])
        return cls(own_N, top_NK, np.take_along_axis(probs_NC, top_NK, axis=1))

    @classmethod
    def joined(cls, parts: list[tuple[Ints, Self]], num_rows: int) -> Self:
        """Of parts with the rows they are about; rows in none of them cannot be judged."""
        num_kept = max((part.labels.shape[1] for _, part in parts), default=1)
        whole = cls(np.full(num_rows, np.nan), np.zeros((num_rows, num_kept), np.int64), np.zeros((num_rows, num_kept)))
        for rows, part in parts:
            whole.own[rows], whole.labels[rows], whole.probs[rows] = part.own, part.labels, part.probs
        return whole

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Which rows can be judged."""
        return ~np.isnan(self.own)


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

    @property
    def odds(self) -> float:
        """Of the given label to the suggested one: the lower, the stronger the doubt."""
        return self.score / self.confidence


def thresholds(given_N: Ints, probabilities: LabelProbabilities, num_labels: int) -> Floats:
    """(C,) mean probability of label j over the rows labelled j (equation 2); infinite where no row is judged."""
    judged = probabilities.judged
    counts_C = np.bincount(given_N[judged], minlength=num_labels)
    sums_C = np.bincount(given_N[judged], weights=probabilities.own[judged], minlength=num_labels)
    return np.where(counts_C > 0, sums_C / np.maximum(counts_C, 1), np.inf)


def calibrated_joint(given_N: Ints, probabilities: LabelProbabilities, num_labels: int) -> dict[tuple[int, int], float]:
    """Expected rows with given label i and true label j; those of i add up to the judged rows labelled i (equation 3).

    Pairs without a row are left out.
    """
    judged = probabilities.judged
    above_NK = probabilities.probs >= thresholds(given_N, probabilities, num_labels)[probabilities.labels]
    counted = judged & above_NK.any(axis=1)
    true = np.take_along_axis(probabilities.labels, above_NK.argmax(axis=1)[:, None], axis=1)[:, 0]
    pairs, counts = np.unique(np.stack([given_N[counted], true[counted]]), axis=1, return_counts=True)
    sizes_C = np.bincount(given_N[judged], minlength=num_labels)
    counted_C = np.bincount(pairs[0], weights=counts, minlength=num_labels)
    return {
        (i, j): float(count * sizes_C[i] / counted_C[i])
        for (i, j), count in zip(pairs.T.tolist(), counts.tolist(), strict=True)
    }


def suspects(given_N: Ints, probabilities: LabelProbabilities, num_labels: int) -> list[Suspect]:
    """Prune by noise rate (section 3.2): of each pair (i, j) as many rows as expected, by margin p_j - p_i.

    With many labels the number expected of a pair is often below one half, so a strong doubt counts beside that. The
    strongest comes first, by the odds of the given label to the most probable one: over random and confusable planted
    errors that ranks best. A row whose given label is the most probable is never one.
    """
    found = probabilities
    expected = calibrated_joint(given_N, found, num_labels)
    wanted = {i * num_labels + j: round(rows) for (i, j), rows in expected.items() if i != j and round(rows) > 0}
    rows_M, places_M = np.nonzero(
        found.judged[:, None] & np.isin(given_N[:, None] * num_labels + found.labels, list(wanted))
    )
    pairs_M = given_N[rows_M] * num_labels + found.labels[rows_M, places_M]
    order = np.lexsort((found.own[rows_M] - found.probs[rows_M, places_M], pairs_M))
    chosen = set(np.flatnonzero(found.own <= STRONG_ODDS * found.probs[:, 0]).tolist())
    edges = np.flatnonzero(np.diff(pairs_M[order], prepend=-1, append=-1))
    for start, end in pairwise(edges.tolist()):
        number = wanted[int(pairs_M[order[start]])]
        chosen.update(rows_M[order[start : min(end, start + number)]].tolist())
    doubted = [
        Suspect(n, int(given_N[n]), int(found.labels[n, 0]), float(found.probs[n, 0]), float(found.own[n]))
        for n in chosen
        if found.labels[n, 0] != given_N[n]
    ]
    return sorted(doubted, key=lambda suspect: (suspect.odds, suspect.row))

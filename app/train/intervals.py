"""95 % intervals: bootstrap for whole evaluations, Wilson for shares of small groups.

Nothing here knows texts or labels by name. Shape suffixes: R resamples, K occupied confusion cells, C labels.
"""

from math import sqrt

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from app.train.metrics import macro_f1

NUM_RESAMPLES = 1000
Z_95 = 1.959963984540054


class Interval(BaseModel):
    """Both ends of a 95 % interval."""

    model_config = ConfigDict(frozen=True)

    low: float
    high: float

    def as_list(self) -> list[float]:
        """`[low, high]`, rounded to six decimals."""
        return [round(self.low, 6), round(self.high, 6)]


class BootstrapIntervals(BaseModel):
    """Intervals of one evaluation; `gain` is accuracy less the share of the most frequent label, row by row."""

    model_config = ConfigDict(frozen=True)

    accuracy: Interval
    macro_f1: Interval
    gain: Interval


def wilson(hits: int, total: int) -> Interval:
    """Wilson score interval of a share (Wilson 1927); [0, 1] of no rows."""
    if total == 0:
        return Interval(low=0.0, high=1.0)
    share, spread = hits / total, Z_95**2 / total
    centre = (share + spread / 2) / (1 + spread)
    half = Z_95 * sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return Interval(low=max(0.0, centre - half), high=min(1.0, centre + half))


def _percentile_interval(values_R: npt.NDArray[np.float64]) -> Interval:
    low, high = np.percentile(values_R, [2.5, 97.5])
    return Interval(low=float(low), high=float(high))


def bootstrap(matrix: npt.NDArray[np.int64], seed: int) -> BootstrapIntervals:
    """Percentile bootstrap (Efron 1979) over rows, from their C x C confusion matrix; equal seeds, equal intervals.

    Drawing rows with replacement and counting pairs is one multinomial draw over the occupied cells, so the cost
    does not grow with the rows. Where every row is right, or every row wrong, resamples cannot differ and would
    claim certainty; the Wilson interval of accuracy then stands for accuracy and macro F1.
    """
    total, num_labels = int(matrix.sum()), len(matrix)
    given_K, predicted_K = np.nonzero(matrix)
    counts_RK = (
        np.random.default_rng(seed)
        .multinomial(total, matrix[given_K, predicted_K] / total, size=NUM_RESAMPLES)
        .astype(np.float64)
    )
    labels_C = np.arange(num_labels)
    given_KC = (given_K[:, None] == labels_C).astype(np.float64)
    predicted_KC = (predicted_K[:, None] == labels_C).astype(np.float64)
    given_RC, predicted_RC = counts_RK @ given_KC, counts_RK @ predicted_KC
    hits_RC = counts_RK @ (given_KC * predicted_KC)
    accuracy_R = hits_RC.sum(axis=1) / total
    majority = int(matrix.sum(axis=1).argmax())
    intervals = BootstrapIntervals(
        accuracy=_percentile_interval(accuracy_R),
        macro_f1=_percentile_interval(macro_f1(hits_RC, given_RC, predicted_RC)),
        gain=_percentile_interval(accuracy_R - given_RC[:, majority] / total),
    )
    hits = int(matrix.diagonal().sum())
    if hits in (0, total):
        certain = wilson(hits, total)
        intervals = intervals.model_copy(update={"accuracy": certain, "macro_f1": certain})
    return intervals

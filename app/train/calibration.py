"""How far probabilities can be trusted: reliability bins, expected calibration error, temperature.

After Guo et al. 2017, "On Calibration of Modern Neural Networks". Shape suffixes: N rows, C labels.
"""

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict
from scipy.optimize import minimize_scalar

from app.train.metrics import Floats, Integers, cross_entropy, log_softmax

NUM_BINS = 15
MAX_FIT_ROWS = 20_000
TEMPERATURE_RANGE = (0.05, 20.0)


class ReliabilityBin(BaseModel):
    """Rows whose confidence is in (low, high]; means are None when there are none."""

    model_config = ConfigDict(frozen=True)

    low: float
    high: float
    rows: int
    confidence: float | None
    accuracy: float | None


class Calibration(BaseModel):
    """Expected calibration error of the probabilities as they are and after division of the logits by `temperature`.

    The temperature is fitted on the same rows, so the error after it is a little flattering on few rows.
    """

    model_config = ConfigDict(frozen=True)

    ece: float
    bins: list[ReliabilityBin]
    temperature: float
    ece_after_temperature: float
    bins_after_temperature: list[ReliabilityBin]


def reliability_bins(confidence_N: npt.NDArray[np.float64], right_N: npt.NDArray[np.bool_]) -> list[ReliabilityBin]:
    """Rows in 15 bins of equal width over [0, 1]."""
    index_N = np.clip(np.ceil(confidence_N * NUM_BINS).astype(int) - 1, 0, NUM_BINS - 1)
    rows = np.bincount(index_N, minlength=NUM_BINS)
    confidence = np.bincount(index_N, weights=confidence_N, minlength=NUM_BINS)
    right = np.bincount(index_N, weights=right_N, minlength=NUM_BINS)
    return [
        ReliabilityBin(
            low=k / NUM_BINS,
            high=(k + 1) / NUM_BINS,
            rows=int(rows[k]),
            confidence=float(confidence[k] / rows[k]) if rows[k] else None,
            accuracy=float(right[k] / rows[k]) if rows[k] else None,
        )
        for k in range(NUM_BINS)
    ]


def expected_calibration_error(bins: list[ReliabilityBin]) -> float:
    """Mean distance of confidence from accuracy over the bins, weighted by rows (Guo et al., equation 3)."""
    total = sum(b.rows for b in bins)
    gaps = [
        b.rows * abs(b.confidence - b.accuracy) for b in bins if b.confidence is not None and b.accuracy is not None
    ]
    return sum(gaps) / total if total else 0.0


def fit_temperature(logits_NC: Floats, label_ids_N: Integers) -> float:
    """The divisor of the logits that minimises cross entropy, within 0.05 to 20.

    1.0 when no row is wrong, or none right: any sharper (or flatter) would fit better, so the rows do not tell.
    Of more than 20,000 rows an even sample is used.
    """
    right_N = logits_NC.argmax(axis=1) == label_ids_N
    if right_N.all() or not right_N.any():
        return 1.0
    sample = np.linspace(0, len(label_ids_N) - 1, min(len(label_ids_N), MAX_FIT_ROWS)).astype(int)
    logits_NC, label_ids_N = logits_NC[sample].astype(np.float64), label_ids_N[sample]
    low, high = np.log(TEMPERATURE_RANGE)
    found = minimize_scalar(
        lambda log_temperature: cross_entropy(logits_NC / np.exp(log_temperature), label_ids_N),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-3},
    )
    return float(np.exp(found.x))


def _bins_at(logits_NC: Floats, label_ids_N: Integers, temperature: float) -> list[ReliabilityBin]:
    confidence_N = np.exp(log_softmax(logits_NC / temperature).max(axis=1))
    return reliability_bins(confidence_N, logits_NC.argmax(axis=1) == label_ids_N)


def calibrate(logits_NC: Floats, label_ids_N: Integers) -> Calibration:
    """Measure calibration before and after the fitted temperature."""
    before = _bins_at(logits_NC, label_ids_N, 1.0)
    temperature = fit_temperature(logits_NC, label_ids_N)
    after = before if temperature == 1.0 else _bins_at(logits_NC, label_ids_N, temperature)
    return Calibration(
        ece=expected_calibration_error(before),
        bins=before,
        temperature=temperature,
        ece_after_temperature=expected_calibration_error(after),
        bins_after_temperature=after,
    )

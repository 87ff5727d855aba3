"""Lengths in numbers: percentiles, and histograms over bins that all labels share."""

from math import log10

import numpy as np
from numpy.typing import NDArray

from app.domain.data_profile import PERCENTILES, LengthSummary

Lengths = NDArray[np.int32]

MAX_BINS = 30


def shared_bins(lengths: Lengths) -> list[int]:
    """Lower bounds of equally wide bins, at most 31: round numbers from 0 to the 99th percentile, the last bin open."""
    top = float(np.percentile(lengths, 99))
    raw = max(1.0, top / MAX_BINS)
    power = 10 ** int(log10(raw))
    width = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    return list(range(0, int(top) + width + 1, width))


def summary(lengths: Lengths, bins: list[int]) -> LengthSummary:
    """Percentiles, mean, longest and histogram of at least one length."""
    values = np.percentile(lengths, PERCENTILES)
    places = np.searchsorted(bins, lengths, side="right") - 1
    return LengthSummary(
        percentiles={rank: round(float(value), 2) for rank, value in zip(PERCENTILES, values, strict=True)},
        mean=round(float(lengths.mean()), 2),
        max=int(lengths.max()),
        histogram=np.bincount(places, minlength=len(bins)).tolist(),
    )

"""Accuracy on groups of evaluation rows: by length of the text, by label, by language."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict

from app.data.languages import language_of
from app.domain.wording import SAID, Sentence, Worded, say
from app.train.intervals import Interval, wilson
from app.train.metrics import Integers

Bools = npt.NDArray[np.bool_]


class Slice(Worded):
    """One group of rows; the interval is Wilson's."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["length", "label", "language"]
    name: str
    rows: int
    accuracy: float
    accuracy_ci95: Interval
    said: dict[str, Sentence] = SAID


def _slice(kind: Literal["length", "label", "language"], name: str, right: Bools) -> Slice:
    hits, rows = int(right.sum()), len(right)
    return Slice(kind=kind, name=name, rows=rows, accuracy=hits / rows, accuracy_ci95=wilson(hits, rows))


def _by_length(texts: Sequence[str], right_N: Bools) -> list[Slice]:
    lengths_N = np.array([len(text) for text in texts])
    edges = sorted({int(edge) for edge in np.quantile(lengths_N, [0.25, 0.5, 0.75])} - {int(lengths_N.max())})
    if not edges:
        return [_slice("length", say("{count} characters", count=lengths_N.max()), right_N)]
    quarter_N = np.searchsorted(edges, lengths_N, side="left")
    names = [say("up to {count} characters", count=edges[0])]
    names += [say("{low} to {high} characters", low=low + 1, high=high) for low, high in pairwise(edges)]
    names += [say("over {count} characters", count=edges[-1])]
    return [_slice("length", name, right_N[quarter_N == k]) for k, name in enumerate(names) if (quarter_N == k).any()]


def make_slices(texts: Sequence[str], label_ids_N: Integers, labels: Sequence[str], right_N: Bools) -> list[Slice]:
    """Quarters by number of characters, then labels that occur in id order, then languages by number of rows."""
    by_label = [
        _slice("label", labels[label_id], right_N[label_ids_N == label_id])
        for label_id in np.unique(label_ids_N).tolist()
    ]
    languages_N = np.array([language_of(text) for text in texts])
    names, counts = np.unique(languages_N, return_counts=True)
    by_language = [_slice("language", str(name), right_N[languages_N == name]) for name in names[np.argsort(-counts)]]
    return _by_length(texts, right_N) + by_label + by_language

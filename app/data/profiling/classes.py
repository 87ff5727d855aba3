"""Rows by label, and what tells the labels apart: marking words, typical and atypical texts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.data.profiling.examples import typical_and_atypical
from app.data.profiling.measuring import Measured
from app.data.profiling.words import marking_words
from app.domain.data_profile import ExampleText, MarkingWord

MAX_DETAILED = 200
"""Labels, those with most rows, for which words and examples are given."""


class Classes:
    """Labels from most rows to fewest, equal ones by name, with their rows: found by one sort, however many."""

    def __init__(self, found: Measured) -> None:
        names = list(found.labels)
        sizes = np.bincount(found.label_ids, minlength=len(names))
        rows_of = np.split(np.argsort(found.label_ids, kind="stable"), np.cumsum(sizes)[:-1])
        order = sorted(range(len(names)), key=lambda i: (-sizes[i], names[i]))
        places = np.empty(len(names), np.int64)
        places[order] = np.arange(len(names))
        self.names = [names[i] for i in order]
        self.rows = [rows_of[i] for i in order]
        self.of_row = places[found.label_ids]

    @property
    def num_detailed(self) -> int:
        """How many labels words and examples are given for."""
        return min(MAX_DETAILED, len(self.names))

    def words(self, counts_NV: csr_array, sample: NDArray[np.int64], words: list[str]) -> list[list[MarkingWord]]:
        """Words that mark each detailed label; `counts_NV` has the words of the rows in `sample`."""
        at = (self.of_row[sample], np.arange(len(sample)))
        members_CN = csr_array((np.ones(len(sample), np.int64), at), shape=(len(self.names), len(sample)))
        return marking_words(members_CN @ counts_NV, words, self.num_detailed)

    def examples(
        self, vectors_ND: csr_array, sample: NDArray[np.int64], texts: Sequence[str]
    ) -> list[tuple[list[ExampleText], list[ExampleText]]]:
        """Typical and atypical texts of each detailed label; `vectors_ND` has those of the rows in `sample`."""
        labels = self.of_row[sample]
        order = np.argsort(labels, kind="stable")
        ends = np.searchsorted(labels[order], np.arange(self.num_detailed), side="right")
        parts = np.split(order, ends)[:-1]
        return [typical_and_atypical(vectors_ND[part], sample[part], texts) for part in parts]

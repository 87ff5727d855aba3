"""Texts as vectors, and which texts of a label are most and least like the rest of it."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.data.personal_data import mask
from app.data.splitting import fold
from app.domain.data_profile import ExampleText

MAX_EXAMPLES = 3
MIN_TEXTS = 5
"""Texts a label must have for some of them to be called typical."""

MAX_EXCERPT = 240
_LOOKED_AT = 20


def tf_idf(counts_NV: csr_array) -> csr_array:
    """Rows of length 1 (or 0 without words): 1 + log of the counts, times the smoothed inverse document frequency."""
    from sklearn.feature_extraction.text import TfidfTransformer

    return csr_array(TfidfTransformer(sublinear_tf=True).fit_transform(counts_NV))


def similarities(vectors_ND: csr_array) -> NDArray[np.float64]:
    """(N,) cosine of each vector, of length 1 or 0, to the sum of the others."""
    centre_D = np.asarray(vectors_ND.sum(axis=0), dtype=np.float64).ravel()
    own_N = np.asarray(vectors_ND.multiply(vectors_ND).sum(axis=1), dtype=np.float64).ravel()
    dots_N = vectors_ND @ centre_D
    norms_N = np.sqrt(np.maximum(centre_D @ centre_D - 2 * dots_N + own_N, 1e-12))
    cosines_N: NDArray[np.float64] = (dots_N - own_N) / norms_N
    return cosines_N


def excerpt(text: str, limit: int = MAX_EXCERPT) -> str:
    """The masked beginning of a text on one line."""
    line = " ".join(mask(text[: 4 * limit]).split())
    return line if len(line) <= limit and len(text) <= 4 * limit else f"{line[:limit].rstrip()} …"


def typical_and_atypical(
    vectors_ND: csr_array, rows: NDArray[np.int64], texts: Sequence[str]
) -> tuple[list[ExampleText], list[ExampleText]]:
    """The different texts of one label nearest to and farthest from its others; `rows` are their places in `texts`."""
    if len(rows) < MIN_TEXTS:
        return [], []
    found = similarities(vectors_ND)
    order = np.argsort(-found, kind="stable")
    near = _distinct(order, found, rows, texts, set())
    return near, _distinct(order[::-1], found, rows, texts, {fold(one.text) for one in near})


def _distinct(
    order: Iterable[int], found: NDArray[np.float64], rows: NDArray[np.int64], texts: Sequence[str], seen: set[str]
) -> list[ExampleText]:
    examples: list[ExampleText] = []
    for place in list(order)[:_LOOKED_AT]:
        text = excerpt(texts[int(rows[place])])
        if fold(text) not in seen and len(examples) < MAX_EXAMPLES:
            seen.add(fold(text))
            examples.append(ExampleText(text=text, similarity=round(float(found[place]), 3)))
    return examples

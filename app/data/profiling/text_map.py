"""Texts in two dimensions: their vectors reduced to 50 dimensions, then t-SNE.

van der Maaten and Hinton 2008, "Visualizing Data using t-SNE", JMLR 9. One thread and a fixed seed: the same vectors
always give the same map.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

MAX_ROWS = 2_000
MIN_ROWS = 20
SIDE = 1_000
_DIMENSIONS = 50
_PERPLEXITY = 30
_SEED = 42


def lay_out(vectors_ND: csr_array) -> NDArray[np.int64] | None:
    """Whole numbers (N, 2) from 0 to 1000; None for fewer than 20 vectors, and where all are nearly equal."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    num_rows, width = vectors_ND.shape
    if num_rows < MIN_ROWS or width <= 2:
        return None
    with threadpool_limits(1), np.errstate(invalid="ignore"):  # equal vectors have no variance to explain
        reduced = TruncatedSVD(min(_DIMENSIONS, width - 1), random_state=_SEED).fit_transform(vectors_ND)
        if reduced.std(axis=0).max() < 1e-6:
            return None
        perplexity = min(_PERPLEXITY, (num_rows - 1) / 3)
        points = TSNE(init="pca", perplexity=perplexity, random_state=_SEED).fit_transform(reduced)
    low, high = points.min(axis=0), points.max(axis=0)
    centred = (points - (low + high) / 2) / max(high - low)
    laid_out: NDArray[np.int64] = np.rint((centred + 0.5) * SIDE).astype(np.int64)
    return laid_out

"""Which rows the expensive parts of a profile look at."""

import numpy as np
from numpy.typing import NDArray

_SEED = 42


def spread(num_rows: int, size: int) -> NDArray[np.int64]:
    """At most `size` rows, ascending: one drawn from each of as many equal stretches of the file, always the same ones.

    Drawn, not every n-th: where labels alternate, every second row has one label only.
    """
    if num_rows <= size:
        return np.arange(num_rows)
    edges = np.linspace(0, num_rows, size + 1).astype(np.int64)
    return np.random.default_rng(_SEED).integers(edges[:-1], edges[1:])

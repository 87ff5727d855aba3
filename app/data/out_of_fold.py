"""Label probabilities of each row from a simple model that has not seen the row: TF-IDF and logistic regression.

Quick, needs no encoder, and reads any script: words and pairs of words, and groups of 1 to 4 characters.
"""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from app.data.splitting import fold

FOLDS = 5
MAX_TRAIN_ROWS = 20_000
"""Rows a model is fitted on; it gives probabilities for every row of its fold all the same."""

MAX_FEATURES = 50_000
_SEED = 42


def out_of_fold_probabilities(
    texts: Sequence[str],
    label_ids: NDArray[np.int64],
    num_labels: int,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float64]:
    """Probabilities (N, C) by cross-validation: stratified folds, equal texts in the same one.

    Deterministic. `progress` hears the folds done and how many there are. A label with fewer different texts than
    folds is unknown to some models, which give it probability 0.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = np.unique([fold(text) for text in texts], return_inverse=True)[1]
    num_folds = min(FOLDS, int(groups.max()) + 1)
    splitter = StratifiedGroupKFold(num_folds, shuffle=True, random_state=_SEED)
    generator = np.random.default_rng(_SEED)
    all_texts = np.asarray(texts, dtype=object)
    probs_NC = np.zeros((len(texts), num_labels))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")  # said in the docstring
        folds = list(splitter.split(all_texts, label_ids, groups))
    for number, (train, held_out) in enumerate(folds, 1):
        rows = generator.permutation(train)[:MAX_TRAIN_ROWS]
        if len(np.unique(label_ids[rows])) < 2:
            probs_NC[held_out, label_ids[rows][0]] = 1.0
        else:
            _fill(probs_NC, held_out, all_texts, label_ids, rows)
        if progress is not None:
            progress(number, num_folds)
    return probs_NC


def _fill(
    probs_NC: NDArray[np.float64],
    held_out: NDArray[np.int64],
    texts: NDArray[np.object_],
    label_ids: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> None:
    """Fit on `rows`, write the probabilities of the `held_out` rows."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=MAX_FEATURES, dtype=np.float32),
        TfidfVectorizer(
            analyzer="char", ngram_range=(1, 4), sublinear_tf=True, max_features=MAX_FEATURES, dtype=np.float32
        ),
    )
    model = make_pipeline(features, LogisticRegression(C=10.0, max_iter=300))
    model.fit(texts[rows], label_ids[rows])
    probs_NC[np.ix_(held_out, model.classes_)] = model.predict_proba(texts[held_out])

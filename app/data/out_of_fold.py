"""Probabilities of each row's label from simple models that have not seen the row, by cross-validation.

Two views of the texts, together or one alone: TF-IDF of words, pairs of words and groups of 1 to 4 characters, which
needs nothing and reads any script, and embeddings of a frozen encoder. Shapes: N rows, C labels, D dimensions.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.data.label_errors import Floats, Ints, LabelProbabilities
from app.data.progress import report
from app.data.splitting import fold_key
from app.data.spool import select

FOLDS = 5
MAX_TRAIN_ROWS = 20_000
"""Rows a model is fitted on; it gives probabilities for every row of its fold all the same."""

MIN_TRAIN_ROWS_A_LABEL = 10
"""On more than MAX_TRAIN_ROWS where there are thousands of labels, so that each is seen."""

MAX_LOGISTIC_LABELS = 200
"""With more labels than these logistic regression takes too long; linear discriminants need one equation."""

MIN_ROWS_SEEN = 3
"""A row is judged where the model has seen this many others with its label: of fewer it learns nothing."""

MAX_FEATURES = 50_000
TF_IDF_COMPONENTS = 256
"""Dimensions TF-IDF is brought to for linear discriminants (latent semantic analysis)."""

_CELLS_AT_ONCE = 4_000_000
_ROWS_AT_ONCE = 5_000
_SEED = 42
_ANY_WORD = r"\w+|[^\w\s]+"  # the library's own drops words of one letter and marks, and with them whole texts


class Classifier(Protocol):
    """What scikit-learn's classifiers have."""

    classes_: Ints

    def predict_proba(self, features: Any) -> Floats:
        """Probabilities, a column for each of `classes_`."""
        ...


class View(Protocol):
    """One way to see the texts as numbers, and the classifier that suits it."""

    def features(self, rows: Ints) -> Any:
        """Features of these rows, in their order."""
        ...

    def fit(self, rows: Ints, label_ids: Ints) -> Classifier:
        """A classifier fitted on these rows, whose labels are `label_ids`."""
        ...


class TfIdf:
    """Words and characters, weighted by how rare they are; the weights know the texts, never the labels."""

    def __init__(self, texts: Sequence[str], num_labels: int) -> None:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_pipeline, make_union
        from sklearn.preprocessing import Normalizer

        self._texts, self._dense = texts, num_labels > MAX_LOGISTIC_LABELS
        words = {"ngram_range": (1, 2), "sublinear_tf": True, "max_features": MAX_FEATURES, "dtype": np.float32}
        both = make_union(
            TfidfVectorizer(token_pattern=_ANY_WORD, **words),
            TfidfVectorizer(analyzer="char", **{**words, "ngram_range": (1, 4)}),
        )
        sample = select(texts, _chosen(np.arange(len(texts)), MAX_TRAIN_ROWS).tolist())
        if self._dense:
            both.fit(sample)
            width = sum(len(part.vocabulary_) for _, part in both.transformer_list)
            svd = TruncatedSVD(min(TF_IDF_COMPONENTS, width - 1, len(sample)), n_iter=2, random_state=_SEED)
            self._transformer = make_pipeline(both, svd, Normalizer(copy=False)).fit(sample)
        else:
            self._transformer = both.fit(sample)
        self._kept = (
            self._transformer.transform(sample).tocsr() if len(sample) == len(texts) and not self._dense else None
        )

    def features(self, rows: Ints) -> Any:
        """Sparse (N, features), or dense (N, D) where there are many labels."""
        if self._kept is not None:
            return self._kept[rows]
        return self._transformer.transform(select(self._texts, rows.tolist()))

    def fit(self, rows: Ints, label_ids: Ints) -> Classifier:
        """One logistic regression for each label against the rest, by dual coordinate descent: quick on sparse rows."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier

        if self._dense:
            return _discriminants(self.features(rows), label_ids)
        one = LogisticRegression(C=10.0, solver="liblinear", dual=True, tol=1.0, random_state=_SEED)
        fitted: Classifier = OneVsRestClassifier(one).fit(self.features(rows), label_ids)
        return fitted


@dataclass(frozen=True)
class Embedded:
    """Embeddings (N, D) of the texts, each of length 1."""

    embeddings: NDArray[np.float32]
    num_labels: int

    def features(self, rows: Ints) -> Any:
        """Dense (N, D)."""
        return self.embeddings[rows]

    def fit(self, rows: Ints, label_ids: Ints) -> Classifier:
        """Multinomial logistic regression, stopped early."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits

        if self.num_labels > MAX_LOGISTIC_LABELS:
            return _discriminants(self.features(rows), label_ids)
        # One thread: the products are small, and beside other work threads that wait for each other take far longer
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted: Classifier = LogisticRegression(C=10.0, max_iter=50).fit(self.features(rows), label_ids)
        return fitted


def _discriminants(features_ND: NDArray[np.float32], label_ids: Ints) -> Classifier:
    """Linear discriminant analysis: one covariance for all labels, shrunk, and so one system of equations."""
    return _Discriminants(features_ND, label_ids)


class _Discriminants:
    """scikit-learn's goes through the labels one by one; for thousands of them this takes a second."""

    SHRINKAGE = 0.1

    def __init__(self, features_ND: NDArray[np.float32], label_ids: Ints) -> None:
        self.classes_, places, counts_C = np.unique(label_ids, return_inverse=True, return_counts=True)
        means_CD = np.zeros((len(counts_C), features_ND.shape[1]))
        np.add.at(means_CD, places, features_ND)
        means_CD /= counts_C[:, None]
        rest_ND = features_ND - means_CD[places]
        covariance_DD = (rest_ND.T @ rest_ND) / len(rest_ND)
        size = max(float(np.trace(covariance_DD)) / len(covariance_DD), 1e-6)
        covariance_DD = (1 - self.SHRINKAGE) * covariance_DD + self.SHRINKAGE * size * np.eye(len(covariance_DD))
        self._weights_DC = np.linalg.solve(covariance_DD, means_CD.T)
        self._bias_C = np.log(counts_C / counts_C.sum()) - (means_CD * self._weights_DC.T).sum(axis=1) / 2

    def predict_proba(self, features: Any) -> Floats:
        """Probabilities (N, C)."""
        logits_NC = features @ self._weights_DC + self._bias_C
        exponentials = np.exp(logits_NC - logits_NC.max(axis=1, keepdims=True))
        found: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
        return found


class _OnlyOne:
    """Where all rows have one label."""

    def __init__(self, label_id: int) -> None:
        self.classes_ = np.array([label_id])

    def predict_proba(self, features: Any) -> Floats:
        """Certainty."""
        return np.ones((features.shape[0], 1))


def out_of_fold(
    texts: Sequence[str],
    label_ids: Ints,
    num_labels: int,
    embeddings_ND: NDArray[np.float32] | None = None,
) -> LabelProbabilities:
    """Judge every row by models fitted on other folds: on TF-IDF, and on embeddings where there are some.

    Equal texts are in the same fold. Of two models the geometric mean counts: what both doubt is doubted. A row whose
    label has fewer than MIN_ROWS_SEEN rows in the other folds is not judged. Deterministic.
    """
    views: list[View] = []
    fold_N = _folds(texts, label_ids)
    parts = []
    done = 0
    report("labels, by cross-validation", 0, len(texts))
    for number in range(FOLDS):
        train, held_out = np.flatnonzero(fold_N != number), np.flatnonzero(fold_N == number)
        train = _chosen(train, max(MAX_TRAIN_ROWS, MIN_TRAIN_ROWS_A_LABEL * num_labels))
        seen = np.bincount(label_ids[train], minlength=num_labels) >= MIN_ROWS_SEEN
        judged = held_out[seen[label_ids[held_out]]]
        done += len(held_out) - len(judged)
        if not len(judged):
            continue
        views = views or _views(texts, num_labels, embeddings_ND)
        models = [_fit(view, train, label_ids[train]) for view in views]
        for rows in _pieces(judged, num_labels):
            probs_NC = _together(views, models, rows, num_labels)
            parts.append((rows, LabelProbabilities.of(label_ids[rows], probs_NC)))
            done += len(rows)
            report("labels, by cross-validation", done, len(texts))
    return LabelProbabilities.joined(parts, len(texts))


def _views(texts: Sequence[str], num_labels: int, embeddings_ND: NDArray[np.float32] | None) -> list[View]:
    tf_idf = TfIdf(texts, num_labels)
    return [tf_idf] if embeddings_ND is None else [tf_idf, Embedded(embeddings_ND, num_labels)]


def _folds(texts: Sequence[str], label_ids: Ints) -> Ints:
    """The fold of each row: stratified by label, texts that fold to the same together."""
    keys = np.array([fold_key(text) for text in texts], dtype="S16")
    _, first_G, group_N = np.unique(keys, return_index=True, return_inverse=True)
    shuffled_G = np.random.default_rng(_SEED).permutation(len(first_G))
    fold_G = np.empty(len(first_G), np.int64)
    fold_G[np.lexsort((shuffled_G, label_ids[first_G]))] = np.arange(len(first_G)) % FOLDS
    return fold_G[group_N]


def _chosen(rows: Ints, most: int) -> Ints:
    """All of the rows, or as many as `most` of them by chance, ascending."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(_SEED).choice(rows, most, replace=False))


def _fit(view: View, rows: Ints, label_ids: Ints) -> Classifier:
    if (label_ids == label_ids[0]).all():
        return _OnlyOne(int(label_ids[0]))
    return view.fit(rows, label_ids)


def _pieces(rows: Ints, num_labels: int) -> Iterator[Ints]:
    size = max(1, min(_ROWS_AT_ONCE, _CELLS_AT_ONCE // num_labels))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _together(views: list[View], models: list[Classifier], rows: Ints, num_labels: int) -> Floats:
    """(N, C) geometric mean of the models' probabilities; labels unknown to a model have none in it."""
    logs_NC = np.zeros((len(rows), num_labels))
    for view, model in zip(views, models, strict=True):
        probs_NC = np.zeros((len(rows), num_labels))
        probs_NC[:, model.classes_] = model.predict_proba(view.features(rows))
        logs_NC += np.log(probs_NC + 1e-6) / len(views)
    means_NC = np.exp(logs_NC)
    found: Floats = means_NC / means_NC.sum(axis=1, keepdims=True)
    return found

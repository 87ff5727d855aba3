"""Cross-validated label probabilities: of two labels and of thousands, with and without embeddings."""

import numpy as np
import pytest

from app.data.label_errors import suspects
from app.data.out_of_fold import MAX_LOGISTIC_LABELS, out_of_fold


def _rows(num_labels: int, each: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Each label has three words of its own; a text has two of them among others."""
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(num_labels), each)
    texts = [
        " ".join([*(f"w{label}x{rng.integers(3)}" for _ in range(2)), *(f"all{rng.integers(50)}" for _ in range(4))])
        for label in ids
    ]
    return texts, ids


@pytest.mark.parametrize("num_labels", [2, 7, MAX_LOGISTIC_LABELS + 50])
def test_a_flipped_label_is_doubted_whatever_the_number_of_labels(num_labels: int) -> None:
    texts, true = _rows(num_labels, 24 if num_labels > 100 else 150)
    given = true.copy()
    flipped = np.random.default_rng(1).choice(len(true), len(true) // 20, replace=False)
    given[flipped] = (true[flipped] + 1) % num_labels
    found = suspects(given, out_of_fold(texts, given, num_labels), num_labels)
    right = [one for one in found if given[one.row] != true[one.row] and one.suggested == true[one.row]]
    assert len(right) >= 0.8 * len(flipped)
    assert {one.row for one in found[: len(flipped)]} >= {one.row for one in right[: len(flipped) // 2]}


def test_thousands_of_labels_are_judged_in_bounded_memory() -> None:
    texts, true = _rows(3_000, 5)
    given = true.copy()
    given[::500] = (true[::500] + 1) % 3_000
    probabilities = out_of_fold(texts, given, 3_000)
    assert probabilities.probs.shape == (15_000, 20)  # not 15,000 x 3,000
    assert probabilities.judged.mean() > 0.5


def test_rare_labels_are_not_judged_and_equal_texts_do_not_vouch_for_each_other() -> None:
    texts, ids = _rows(2, 40)
    texts += ["quite another thing"] * 30 + ["a lonely one"]
    ids = np.concatenate([ids, np.ones(30, np.int64), [2]])
    probabilities = out_of_fold(texts, ids, 3)
    assert not probabilities.judged[-1]
    same = probabilities.own[80:110]
    assert same.max() - same.min() < 1e-9  # all in one fold: none was judged by a model that knew the text
    assert same.max() < 0.9


def test_embeddings_judge_where_words_say_nothing() -> None:
    rng = np.random.default_rng(3)
    true = rng.integers(0, 2, 300)
    texts = [f"t{number}" for number in range(300)]
    vectors = rng.normal(size=(300, 8)).astype(np.float32) + 3 * true[:, None].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    given = true.copy()
    given[:15] = 1 - given[:15]
    words_only = suspects(given, out_of_fold(texts, given, 2), 2)
    both = suspects(given, out_of_fold(texts, given, 2, vectors), 2)
    assert len({one.row for one in both[:15]} & set(range(15))) >= 12
    assert len({one.row for one in words_only[:15]} & set(range(15))) < 8


def test_texts_without_words_are_read_and_the_same_comes_out_again() -> None:
    texts, ids = _rows(2, 20)
    texts[:4] = ["!", "?!", "…", "👍"]
    first, second = (out_of_fold(texts, ids, 2) for _ in range(2))
    assert np.array_equal(first.probs, second.probs)
    assert first.judged.all()


def test_one_label_alone_is_never_doubted() -> None:
    texts, ids = _rows(1, 20)
    assert suspects(ids, out_of_fold(texts, ids, 1), 1) == []

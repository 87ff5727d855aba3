"""Scores agree with scikit-learn and stay calm where classes are missing."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss

from app.train.metrics import confusion_matrix, log_softmax, score


def test_scores_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    label_ids = rng.integers(0, 6, 500)
    logits = rng.normal(size=(500, 6)).astype(np.float32) + 1.5 * np.eye(6, dtype=np.float32)[label_ids]
    predicted = logits.argmax(axis=1)

    found = score(logits, label_ids)

    assert found["accuracy"] == pytest.approx(accuracy_score(label_ids, predicted))
    assert found["macro_f1"] == pytest.approx(f1_score(label_ids, predicted, average="macro"))
    assert found["weighted_f1"] == pytest.approx(f1_score(label_ids, predicted, average="weighted"))
    assert found["loss"] == pytest.approx(log_loss(label_ids, np.exp(log_softmax(logits)), labels=range(6)))


def test_one_predicted_class_gives_its_share_and_no_warning() -> None:
    logits = np.tile(np.array([3.0, 0.0, 0.0], dtype=np.float32), (10, 1))

    found = score(logits, np.array([0] * 6 + [1] * 4))

    assert found["accuracy"] == pytest.approx(0.6)
    assert found["macro_f1"] == pytest.approx(0.75 / 2)


def test_a_label_no_row_has_counts_only_when_it_is_predicted() -> None:
    logits = np.eye(3, dtype=np.float32)

    without = score(logits[[0, 1]], np.array([0, 1]))
    with_it = score(logits[[0, 2]], np.array([0, 1]))

    assert without["macro_f1"] == 1.0
    assert with_it["macro_f1"] == pytest.approx(1 / 3)


def test_huge_logits_do_not_overflow() -> None:
    found = score(np.array([[1e30, 0.0], [0.0, 1e4]], dtype=np.float32), np.array([0, 1]))

    assert found["loss"] == 0.0


def test_confusion_counts_given_labels_in_rows() -> None:
    assert confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 3).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]

"""Confident learning on labels flipped on purpose."""

import numpy as np

from app.data.label_errors import calibrated_joint, suspects


def test_flipped_labels_are_found_and_ranked_far_better_than_by_chance() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, 2000)
    logits = rng.normal(size=(2000, 4))
    logits[np.arange(2000), true] += 4
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    given = true.copy()
    flipped = rng.choice(2000, 100, replace=False)
    given[flipped] = (true[flipped] + 1) % 4

    found = [suspect.row for suspect in suspects(given, probs)]

    assert len(set(found[:100]) & set(flipped.tolist())) >= 80
    assert len(set(found) & set(flipped.tolist())) >= 80


def test_the_calibrated_joint_keeps_the_number_of_rows_of_each_given_label() -> None:
    given = np.array([0, 0, 0, 1, 1])
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])

    assert calibrated_joint(given, probs).sum(axis=1).tolist() == [3, 2]
    assert [(s.row, s.given, s.suggested) for s in suspects(given, probs)] == [(2, 0, 1)]

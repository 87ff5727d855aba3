"""Confident learning on labels flipped on purpose."""

import numpy as np

from app.data.label_errors import LABELS_KEPT, LabelProbabilities, calibrated_joint, suspects


def test_flipped_labels_are_found_and_ranked_far_better_than_by_chance() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, 2000)
    logits = rng.normal(size=(2000, 4))
    logits[np.arange(2000), true] += 4
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    given = true.copy()
    flipped = rng.choice(2000, 100, replace=False)
    given[flipped] = (true[flipped] + 1) % 4

    found = [suspect.row for suspect in suspects(given, LabelProbabilities.of(given, probs), 4)]

    assert len(set(found[:100]) & set(flipped.tolist())) >= 80
    assert len(set(found) & set(flipped.tolist())) >= 80


def test_the_calibrated_joint_keeps_the_number_of_rows_of_each_given_label() -> None:
    given = np.array([0, 0, 0, 1, 1])
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])

    probabilities = LabelProbabilities.of(given, probs)
    joint = calibrated_joint(given, probabilities, 2)
    assert joint[0, 0] + joint[0, 1] == 3
    assert sum(rows for (i, _), rows in joint.items() if i == 1) == 2
    assert [(s.row, s.given, s.suggested) for s in suspects(given, probabilities, 2)] == [(2, 0, 1)]


def test_what_is_left_out_of_many_labels_changes_no_suspect() -> None:
    rng = np.random.default_rng(1)
    num_labels = 3 * LABELS_KEPT
    true = rng.integers(0, num_labels, 3000)
    logits = rng.normal(size=(3000, num_labels))
    logits[np.arange(3000), true] += 6
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    given = true.copy()
    given[:150] = (true[:150] + 1) % num_labels
    everything = LabelProbabilities(
        probs[np.arange(3000), given], np.argsort(-probs, axis=1, kind="stable"), -np.sort(-probs, axis=1)
    )

    kept = suspects(given, LabelProbabilities.of(given, probs), num_labels)

    assert {one.row for one in kept} == {one.row for one in suspects(given, everything, num_labels)}
    assert len({one.row for one in kept} & set(range(150))) >= 140


def test_rows_that_cannot_be_judged_are_no_suspects_and_count_for_nothing() -> None:
    given = np.array([0, 0, 0, 1, 1, 1])
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [np.nan, np.nan]])
    probabilities = LabelProbabilities.of(given, probs)
    assert probabilities.judged.tolist() == [True] * 5 + [False]
    assert sum(calibrated_joint(given, probabilities, 2).values()) == 5
    assert [one.row for one in suspects(given, probabilities, 2)] == [2]

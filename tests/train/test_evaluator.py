"""What an evaluation measures and what its headline concludes."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from app.domain.errors import TrainingFailed
from app.domain.events import EvalLogged, StepLogged
from app.runs.analysis import analyze
from app.train.calibration import calibrate, expected_calibration_error, reliability_bins
from app.train.evaluation import Evaluation
from app.train.evaluator import evaluate
from app.train.intervals import bootstrap, wilson

Rows = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]


def logits_for(predicted: npt.NDArray[np.int64], num_labels: int, margin: float = 2.0) -> npt.NDArray[np.float32]:
    return (margin * np.eye(num_labels)[predicted]).astype(np.float32)


def noisy(rows: int, num_labels: int, share_right: float, seed: int = 0) -> Rows:
    """Rows of which a given share is predicted right, the rest as the next label."""
    rng = np.random.default_rng(seed)
    label_ids = rng.integers(0, num_labels, rows)
    right = rng.random(rows) < share_right
    return logits_for(np.where(right, label_ids, (label_ids + 1) % num_labels), num_labels), label_ids


def evaluated(logits: npt.NDArray[np.float32], label_ids: npt.NDArray[np.int64], **texts: list[str]) -> Evaluation:
    labels = [f"label {k}" for k in range(logits.shape[1])]
    return evaluate(logits, label_ids, texts.get("texts") or ["some words"] * len(label_ids), labels, seed=1)


@pytest.mark.parametrize(("num_labels", "rows"), [(2, 1), (2, 872), (6, 300), (77, 2000)])
def test_every_size_gives_ordered_intervals_and_a_summary(num_labels: int, rows: int) -> None:
    found = evaluated(*noisy(rows, num_labels, 0.8))

    for value, interval in (
        (found.accuracy, found.accuracy_ci95),
        (found.macro_f1, found.macro_f1_ci95),
        (found.gain, found.gain_ci95),
    ):
        assert interval.low <= value <= interval.high
    assert found.summary().keys() >= {"accuracy", "accuracy_ci95", "macro_f1", "majority_baseline", "loss"}
    assert np.array(found.confusion).sum() == rows
    assert len(found.per_label) == num_labels


def test_equal_seeds_give_equal_evaluations() -> None:
    rows = noisy(400, 3, 0.7)

    assert evaluated(*rows) == evaluated(*rows)


def test_the_bootstrap_interval_is_that_of_redrawn_rows() -> None:
    logits, label_ids = noisy(500, 3, 0.8)
    right = logits.argmax(axis=1) == label_ids
    matrix = np.array(evaluated(logits, label_ids).confusion)
    rng = np.random.default_rng(5)
    redrawn = [right[rng.integers(0, 500, 500)].mean() for _ in range(2000)]

    found = bootstrap(matrix, seed=9).accuracy

    assert [found.low, found.high] == pytest.approx(np.percentile(redrawn, [2.5, 97.5]), abs=0.006)


def test_ten_of_ten_right_does_not_claim_certainty() -> None:
    label_ids = np.arange(10) % 2

    found = evaluated(logits_for(label_ids, 2), label_ids)

    assert found.accuracy == 1.0
    assert found.accuracy_ci95 == wilson(10, 10)
    assert found.accuracy_ci95.low == pytest.approx(0.722, abs=0.001)


def test_calibration_error_of_a_known_case() -> None:
    bins = reliability_bins(np.array([0.95, 0.95, 0.55, 0.55]), np.array([True, False, True, True]))

    assert expected_calibration_error(bins) == pytest.approx(0.5 * 0.45 + 0.5 * 0.45)


def test_the_temperature_undoes_a_known_sharpening() -> None:
    rng = np.random.default_rng(3)
    honest = rng.normal(size=(20000, 4))
    chances = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    label_ids = (chances.cumsum(axis=1) < rng.random((20000, 1))).sum(axis=1)

    found = calibrate((2.5 * honest).astype(np.float32), label_ids)

    assert found.temperature == pytest.approx(2.5, rel=0.06)
    assert found.ece_after_temperature < 0.015 < found.ece


def test_no_temperature_is_fitted_where_every_row_is_right() -> None:
    label_ids = np.arange(40) % 2

    assert calibrate(logits_for(label_ids, 2, margin=0.5), label_ids).temperature == 1.0


def test_slices_cover_every_row_by_length_label_and_language() -> None:
    logits, label_ids = noisy(200, 2, 0.9)
    texts = ["好看" if k % 4 == 0 else "word " * (1 + k % 50) for k in range(200)]

    found = evaluated(logits, label_ids, texts=texts)

    for kind in ("length", "label", "language"):
        assert sum(group.rows for group in found.slices if group.kind == kind) == 200
    chinese = next(group for group in found.slices if group.name == "Chinese")
    assert chinese.rows == 50
    assert chinese.accuracy_ci95.low < chinese.accuracy < chinese.accuracy_ci95.high


def test_mistakes_are_ordered_by_confidence_and_name_their_row() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 6.0]], dtype=np.float32)

    found = evaluate(logits, np.array([0, 0, 0]), ["right", "unsure", "sure"], ["no", "yes"], seed=1)

    assert [(m.row, m.text, m.label, m.predicted) for m in found.mistakes] == [
        (3, "sure", "no", "yes"),
        (2, "unsure", "no", "yes"),
    ]
    assert found.mistakes[0].probability == pytest.approx(1 / (1 + math.exp(-6)))


def test_a_collapsed_model_is_called_so_and_told_what_to_do() -> None:
    label_ids = np.array([0] * 700 + [1] * 300)

    found = evaluated(logits_for(np.zeros(1000, dtype=np.int64), 2), label_ids)

    assert found.collapsed
    assert found.headline.verdict.startswith("not shown to be better than always guessing “label 0”")
    assert "learning_rate" in found.headline.next


def test_a_good_model_on_lopsided_rows_has_not_collapsed() -> None:
    label_ids = np.array([0] * 990 + [1] * 10)

    found = evaluated(logits_for(label_ids, 2), label_ids)

    assert not found.collapsed
    assert found.headline.verdict.startswith("better than always guessing “label 0” by 1.0 points")


def test_a_gain_within_chance_is_not_called_better() -> None:
    found = evaluated(*noisy(60, 2, 0.56, seed=4))

    assert found.gain_ci95.low < 0 < found.gain_ci95.high
    assert found.headline.verdict.startswith("not shown to be better")
    assert "more rows: 60 are too few" in found.headline.next


def test_rows_of_one_label_show_nothing() -> None:
    found = evaluated(logits_for(np.zeros(5, dtype=np.int64), 2), np.zeros(5, dtype=np.int64))

    assert "nothing is shown" in found.headline.verdict
    assert found.headline.next == "evaluate on rows of every label"


def test_the_headline_asks_for_rows_of_a_rare_weak_label() -> None:
    label_ids = np.array([0] * 450 + [1] * 450 + [2] * 60)
    predicted = label_ids.copy()
    predicted[-40:] = 0

    found = evaluated(logits_for(predicted, 3), label_ids)

    assert found.headline.weakest == "worst on label “label 2” (33.3 % of 60 rows right)"
    assert found.headline.next.startswith("add training rows labelled “label 2”")


def test_the_headline_sees_overfitting_in_the_events_of_the_run() -> None:
    events = [
        StepLogged(step=s, total_steps=40, epoch=s / 10, loss=1 / s, learning_rate=1e-3, samples_per_second=1.0,
                   tokens_per_second=9.0, eta_seconds=0.0)
        for s in range(1, 41)
    ]  # fmt: skip
    scores = {10: (0.8, 0.5), 20: (0.9, 0.3), 30: (0.89, 0.4), 40: (0.88, 0.6)}
    evaluations = [
        EvalLogged(step=s, epoch=s / 10, train_seconds=s, metrics={"accuracy": a, "loss": x})
        for s, (a, x) in scores.items()
    ]
    logits, label_ids = noisy(300, 2, 0.9)

    found = evaluate(logits, label_ids, ["a"] * 300, ["x", "y"], seed=1, analysis=analyze([*events, *evaluations]))

    assert found.headline.next == "train fewer epochs: the evaluation loss rose after step 20"


def test_the_headline_asks_for_more_epochs_where_the_last_evaluation_gained_most() -> None:
    evaluations = [
        EvalLogged(step=10 * k, epoch=k, train_seconds=k, metrics={"accuracy": 0.5 + 0.1 * k}) for k in (1, 2, 3)
    ]
    logits, label_ids = noisy(300, 2, 0.8)

    found = evaluate(logits, label_ids, ["a"] * 300, ["x", "y"], seed=1, analysis=analyze(evaluations))

    assert found.headline.next == "train more epochs: accuracy was still rising at the last evaluation"


def test_the_headline_names_a_label_that_is_never_answered() -> None:
    label_ids = np.array([0] * 100 + [1] * 100 + [2] * 100)

    found = evaluated(logits_for(np.minimum(label_ids, 1), 3), label_ids)

    assert found.headline.next.startswith("it never answers “label 2”")


def test_a_logit_that_is_not_a_number_fails_with_its_row() -> None:
    logits = np.zeros((4, 2), dtype=np.float32)
    logits[2, 1] = np.nan

    with pytest.raises(TrainingFailed, match="on 1 of 4 rows, first on row 3"):
        evaluated(logits, np.array([0, 1, 0, 1]))

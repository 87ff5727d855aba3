"""Best, last and fastest checkpoint by their scores."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.retention import ScoredCheckpoint, choose, steps_to_keep


def _checkpoint(step: int, score: float | None, loss: float | None = None, rows: int = 100) -> ScoredCheckpoint:
    return ScoredCheckpoint(step=step, train_seconds=float(step), score=score, loss=loss, num_eval_rows=rows)


def test_nothing_is_chosen_from_nothing() -> None:
    assert choose([], "accuracy") == {}


def test_the_fastest_is_the_earliest_within_one_standard_error_of_the_best() -> None:
    found = [_checkpoint(10, 0.80), _checkpoint(20, 0.88), _checkpoint(30, 0.90), _checkpoint(40, 0.85)]
    assert choose(found, "accuracy") == {"last": 40, "best": 30, "fastest": 20}


def test_with_many_rows_the_error_is_small_and_the_fastest_is_the_best() -> None:
    found = [_checkpoint(20, 0.88, rows=100_000), _checkpoint(30, 0.90, rows=100_000)]
    assert choose(found, "accuracy")["fastest"] == 30


def test_a_tie_goes_to_the_lower_loss_then_to_the_earlier_step() -> None:
    found = [_checkpoint(10, 0.9, 0.5), _checkpoint(20, 0.9, 0.3), _checkpoint(30, 0.9, 0.3)]
    assert choose(found, "accuracy")["best"] == 20


def test_scores_closer_than_the_noise_are_told_apart_by_the_loss() -> None:
    found = [_checkpoint(217, 0.8727, 0.340, rows=872), _checkpoint(651, 0.8704, 0.329, rows=872)]
    assert choose(found, "accuracy")["best"] == 651
    assert choose([c.model_copy(update={"num_eval_rows": 10**6}) for c in found], "accuracy")["best"] == 217


def test_a_loss_is_better_when_smaller() -> None:
    found = [_checkpoint(10, 0.9), _checkpoint(20, 0.2), _checkpoint(30, 0.4)]
    assert choose(found, "loss")["best"] == 20


def test_a_checkpoint_without_a_score_can_only_be_the_last() -> None:
    assert choose([_checkpoint(10, 0.5), _checkpoint(15, None)], "accuracy") == {"last": 15, "best": 10, "fastest": 10}


@given(
    st.lists(st.tuples(st.integers(1, 1000), st.none() | st.floats(0, 1)), min_size=1, unique_by=lambda pair: pair[0])
)
def test_the_last_is_always_kept_and_nothing_is_invented(pairs: list[tuple[int, float | None]]) -> None:
    found = [_checkpoint(step, score) for step, score in pairs]
    kept = steps_to_keep(found, "accuracy", ["best", "last", "fastest"])
    assert max(step for step, _ in pairs) in kept
    assert kept <= {step for step, _ in pairs}
    assert len(kept) <= 3


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "weighted_f1", "loss"])
def test_one_checkpoint_is_all_three(metric: str) -> None:
    assert set(choose([_checkpoint(5, 0.4)], metric).values()) == {5}  # type: ignore[arg-type]

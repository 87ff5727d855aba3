"""Which checkpoints stay: a pure rule over their scores."""

from collections.abc import Iterable, Sequence
from math import sqrt

from pydantic import BaseModel, ConfigDict

from app.domain.train_config import CheckpointReason, Metric


class ScoredCheckpoint(BaseModel):
    """A checkpoint with what retention looks at; `train_seconds` counts the training loop from the first step."""

    model_config = ConfigDict(frozen=True)

    step: int
    train_seconds: float
    score: float | None
    loss: float | None = None
    num_eval_rows: int = 0


TIE_IN_STANDARD_ERRORS = 0.5
"""Scores closer than this to the highest are not told apart by the score."""


def better(metric: Metric, score: float, than: float) -> bool:
    """Whether `score` beats `than`; a loss is better when smaller."""
    return score < than if metric == "loss" else score > than


def _standard_error(metric: Metric, best: ScoredCheckpoint, scored: Sequence[ScoredCheckpoint]) -> float:
    """One standard error of the best score.

    For shares (accuracy, F1) that of a binomial proportion over the evaluation rows; for a loss, which has no such
    bound, the spread of the scores seen.
    """
    assert best.score is not None
    if metric != "loss" and best.num_eval_rows > 0:
        share = min(max(best.score, 0.0), 1.0)
        return sqrt(share * (1 - share) / best.num_eval_rows)
    values = [c.score for c in scored if c.score is not None]
    mean = sum(values) / len(values)
    return sqrt(sum((v - mean) ** 2 for v in values) / len(values) / len(values))


def choose(checkpoints: Iterable[ScoredCheckpoint], metric: Metric) -> dict[CheckpointReason, int]:
    """Map each reason to the step it names.

    `best`: highest score; scores within half a standard error of it are a tie, which the lower loss decides (it uses
    every row's probability and is less noisy), then the earlier step. `last`: highest step. `fastest`: least training
    time among those within one standard error of the highest score. Reasons nothing qualifies for are absent.
    """
    ordered = sorted(checkpoints, key=lambda c: c.step)
    if not ordered:
        return {}
    chosen: dict[CheckpointReason, int] = {"last": ordered[-1].step}
    scored = [c for c in ordered if c.score is not None]
    if scored:
        sign = -1.0 if metric == "loss" else 1.0
        highest = max(scored, key=lambda c: sign * (c.score or 0.0))
        error = _standard_error(metric, highest, scored)

        def within(margin: float) -> list[ScoredCheckpoint]:
            return [c for c in scored if sign * (c.score or 0.0) >= sign * (highest.score or 0.0) - margin]

        tied = within(0.0 if metric == "loss" else TIE_IN_STANDARD_ERRORS * error)
        chosen["best"] = min(tied, key=lambda c: (c.loss or 0.0, -sign * (c.score or 0.0), c.step)).step
        chosen["fastest"] = min(within(error), key=lambda c: (c.train_seconds, c.step)).step
    return chosen


def steps_to_keep(
    checkpoints: Iterable[ScoredCheckpoint], metric: Metric, keep: Iterable[CheckpointReason]
) -> set[int]:
    """Steps of the checkpoints that stay; the rest may be removed."""
    chosen = choose(checkpoints, metric)
    return {chosen[reason] for reason in keep if reason in chosen}

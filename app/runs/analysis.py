"""What the events of a run tell about how it learned: curves, best step, plateau, over-fitting, throughput dips.

Pure: events in, a RunAnalysis out. Drawing and printing belong to whoever asks.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import fmean, median
from typing import Any

from pydantic import BaseModel, ConfigDict

from app.domain.events import EvalLogged, Event, Planned, RunFinished, StepLogged, SystemSampled, Warned
from app.domain.retention import better
from app.domain.train_config import Metric
from app.runs.event_log import iter_steps, latest_by_step

DIP_SHARE = 0.6
MIN_GAIN = 0.002
MIN_LOSS_GAIN = 0.01
OVERFITTING_RISE = 0.05
PLATEAU_EVALUATIONS = 2


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class StepPoint(_Value):
    """The training curve at one logged step."""

    step: int
    epoch: float
    loss: float
    learning_rate: float
    tokens_per_second: float


class EvalPoint(_Value):
    """The evaluation curve at one step; `train_seconds` counts the training loop from the first step."""

    step: int
    epoch: float
    train_seconds: float
    metrics: dict[str, float]


class Overfitting(_Value):
    """After `step`, where evaluation loss was lowest, it rose while training loss went on falling."""

    step: int
    lowest_eval_loss: float
    last_eval_loss: float
    train_loss_then: float
    last_train_loss: float


class ThroughputDip(_Value):
    """Neighbouring logged steps whose rate fell below 60 % of the run's median; `share` is of that median."""

    first_step: int
    last_step: int
    tokens_per_second: float
    share: float


class RunAnalysis(_Value):
    """How a run learned so far; `plateau_step` is the last evaluation that brought a gain worth having."""

    metric: Metric
    state: str | None
    attempts: int
    steps: list[StepPoint]
    evaluations: list[EvalPoint]
    total_steps: int | None
    best_step: int | None
    best_score: float | None
    plateau_step: int | None
    overfitting: Overfitting | None
    median_tokens_per_second: float | None
    dips: list[ThroughputDip]
    peak_memory_bytes: int | None
    warnings: list[str]

    def summary(self) -> dict[str, Any]:
        """Plain JSON types without the curves."""
        return self.model_dump(mode="json", exclude={"steps", "evaluations"})


def _metric(events: Sequence[Event]) -> Metric:
    """What `best` means in this run; accuracy where no plan was logged."""
    for event in reversed(events):
        if isinstance(event, Planned):
            metric: Metric = event.plan.get("config", {}).get("checkpoints", {}).get("metric", "accuracy")
            return metric
    return "accuracy"


def _best(scored: Sequence[EvalPoint], metric: Metric) -> EvalPoint | None:
    best: EvalPoint | None = None
    for point in scored:
        if best is None or better(metric, point.metrics[metric], best.metrics[metric]):
            best = point
    return best


def _plateau(scored: Sequence[EvalPoint], metric: Metric) -> int | None:
    """Step of the last gain of more than 0.2 points (1 % for a loss), if at least two evaluations follow it."""
    if not scored:
        return None
    anchor, anchor_index = scored[0].metrics[metric], 0
    for index, point in enumerate(scored):
        margin = MIN_LOSS_GAIN * anchor if metric == "loss" else -MIN_GAIN
        if better(metric, point.metrics[metric], anchor - margin):
            anchor, anchor_index = point.metrics[metric], index
    return scored[anchor_index].step if len(scored) - 1 - anchor_index >= PLATEAU_EVALUATIONS else None


def _train_loss_before(steps: Sequence[StepPoint], evaluations: Sequence[EvalPoint], index: int) -> float | None:
    """Mean training loss between evaluation `index` and the one before it."""
    after = evaluations[index - 1].step if index else 0
    losses = [point.loss for point in steps if after < point.step <= evaluations[index].step]
    return fmean(losses) if losses else None


def _overfitting(steps: Sequence[StepPoint], evaluations: Sequence[EvalPoint]) -> Overfitting | None:
    """Evaluation loss at least 5 % above its lowest at the end, training loss below what it was then."""
    measured = [point for point in evaluations if "loss" in point.metrics]
    if len(measured) < 2:
        return None
    lowest = min(range(len(measured)), key=lambda index: measured[index].metrics["loss"])
    then = _train_loss_before(steps, measured, lowest)
    now = _train_loss_before(steps, measured, len(measured) - 1)
    lowest_loss, last_loss = measured[lowest].metrics["loss"], measured[-1].metrics["loss"]
    if then is None or now is None or now >= then or last_loss < lowest_loss * (1 + OVERFITTING_RISE):
        return None
    return Overfitting(
        step=measured[lowest].step,
        lowest_eval_loss=lowest_loss,
        last_eval_loss=last_loss,
        train_loss_then=then,
        last_train_loss=now,
    )


def _dips(steps: Sequence[StepPoint], usual: float) -> Iterator[ThroughputDip]:
    for slow, group in groupby(steps, key=lambda point: point.tokens_per_second < DIP_SHARE * usual):
        if slow:
            points = list(group)
            rate = fmean(point.tokens_per_second for point in points)
            yield ThroughputDip(
                first_step=points[0].step, last_step=points[-1].step, tokens_per_second=rate, share=rate / usual
            )


def analyze(events: Sequence[Event]) -> RunAnalysis:
    """Analyse what a run reported so far; of steps repeated after a resume the latest attempt counts."""
    logged = list(iter_steps(list(events)))
    steps = [StepPoint.model_validate(step.model_dump(include=set(StepPoint.model_fields))) for step in logged]
    evaluated = latest_by_step([event for event in events if isinstance(event, EvalLogged)])
    evaluations = [EvalPoint.model_validate(e.model_dump(include=set(EvalPoint.model_fields))) for e in evaluated]
    metric = _metric(events)
    scored = [point for point in evaluations if metric in point.metrics]
    best = _best(scored, metric)
    usual = median(point.tokens_per_second for point in steps) if steps else None
    finished = [event for event in events if isinstance(event, RunFinished)]
    return RunAnalysis(
        metric=metric,
        state=finished[-1].state.value if finished else None,
        attempts=max((event.attempt for event in events), default=0),
        steps=steps,
        evaluations=evaluations,
        total_steps=next((e.total_steps for e in reversed(events) if isinstance(e, StepLogged)), None),
        best_step=best.step if best else None,
        best_score=best.metrics[metric] if best else None,
        plateau_step=_plateau(scored, metric),
        overfitting=_overfitting(steps, evaluations),
        median_tokens_per_second=usual,
        dips=list(_dips(steps, usual)) if usual else [],
        peak_memory_bytes=max((e.memory_bytes for e in events if isinstance(e, SystemSampled)), default=None),
        warnings=[event.message for event in events if isinstance(event, Warned)],
    )

"""What the events of a run tell: best step, plateau, over-fitting, throughput dips."""

import subprocess
import sys
from typing import Any

import pytest

from app.domain.events import EvalLogged, Event, Planned, RunFinished, StepLogged, SystemSampled, Warned
from app.domain.task import TaskState
from app.runs.analysis import analyze


def step(number: int, **values: Any) -> StepLogged:
    given: dict[str, Any] = {
        "total_steps": 60,
        "epoch": number / 20,
        "loss": 1 / number,
        "learning_rate": 1e-3,
        "samples_per_second": 10.0,
        "tokens_per_second": 1000.0,
        "eta_seconds": 0.0,
    }
    return StepLogged(step=number, **(given | values))


def evaluation(number: int, attempt: int = 1, **metrics: float) -> EvalLogged:
    return EvalLogged(step=number, attempt=attempt, epoch=number / 20, train_seconds=number / 2, metrics=metrics)


def test_no_events_tell_nothing() -> None:
    found = analyze([])

    assert (found.steps, found.best_step, found.plateau_step, found.overfitting, found.dips) == (
        [],
        None,
        None,
        None,
        [],
    )
    assert found.state is None


def test_the_best_step_is_the_first_of_the_highest_score() -> None:
    events = [evaluation(10, accuracy=0.8), evaluation(20, accuracy=0.9), evaluation(30, accuracy=0.9)]

    found = analyze(events)

    assert (found.metric, found.best_step, found.best_score) == ("accuracy", 20, 0.9)


def test_best_means_what_the_plan_says() -> None:
    plan = Planned(plan={"config": {"checkpoints": {"metric": "loss"}}})
    events = [plan, evaluation(10, accuracy=0.8, loss=0.2), evaluation(20, accuracy=0.9, loss=0.4)]

    found = analyze(events)

    assert (found.metric, found.best_step, found.best_score) == ("loss", 10, 0.2)


def test_a_plateau_starts_at_the_last_gain_worth_having() -> None:
    scores = [0.7, 0.8, 0.85, 0.851, 0.8505, 0.8515]

    found = analyze([evaluation(10 * (k + 1), accuracy=score) for k, score in enumerate(scores)])

    assert found.plateau_step == 30
    assert found.best_step == 60


def test_a_run_that_still_gains_has_no_plateau() -> None:
    found = analyze([evaluation(10 * (k + 1), accuracy=0.5 + 0.05 * k) for k in range(5)])

    assert found.plateau_step is None


def test_overfitting_is_rising_evaluation_loss_under_falling_training_loss() -> None:
    steps = [step(number) for number in range(1, 61)]
    losses = {20: 0.5, 40: 0.3, 60: 0.45}

    found = analyze([*steps, *(evaluation(number, loss=loss) for number, loss in losses.items())])

    assert found.overfitting is not None
    assert found.overfitting.step == 40
    assert (found.overfitting.lowest_eval_loss, found.overfitting.last_eval_loss) == (0.3, 0.45)
    assert found.overfitting.last_train_loss < found.overfitting.train_loss_then


def test_both_losses_rising_is_not_overfitting() -> None:
    steps = [step(number, loss=0.1 * number) for number in range(1, 61)]

    found = analyze([*steps, evaluation(20, loss=0.5), evaluation(40, loss=0.3), evaluation(60, loss=0.45)])

    assert found.overfitting is None


def test_a_dip_joins_neighbouring_slow_steps() -> None:
    rates = dict.fromkeys(range(1, 31), 1000.0) | {10: 500.0, 11: 300.0, 20: 590.0, 25: 610.0}

    found = analyze([step(number, tokens_per_second=rate) for number, rate in rates.items()])

    assert found.median_tokens_per_second == 1000.0
    assert [(dip.first_step, dip.last_step) for dip in found.dips] == [(10, 11), (20, 20)]
    assert found.dips[0].share == pytest.approx(0.4)


def test_after_a_resume_the_latest_attempt_counts() -> None:
    events: list[Event] = [
        step(1, loss=0.9),
        step(2, loss=0.8),
        evaluation(2, accuracy=0.95),
        step(2, loss=0.5, attempt=2),
        evaluation(2, attempt=2, accuracy=0.6),
        RunFinished(attempt=2, state=TaskState.SUCCESS),
    ]

    found = analyze(events)

    assert [point.loss for point in found.steps] == [0.9, 0.5]
    assert found.best_score == 0.6
    assert (found.attempts, found.state) == (2, "SUCCESS")


def test_memory_and_warnings_are_gathered() -> None:
    found = analyze(
        [
            SystemSampled(cpu_percent=99.0, memory_bytes=5),
            SystemSampled(cpu_percent=98.0, memory_bytes=7),
            Warned(code="data.truncated", message="3 texts were cut"),
        ]
    )

    assert (found.peak_memory_bytes, found.warnings) == (7, ["3 texts were cut"])


def test_the_module_loads_no_numpy() -> None:
    code = "import sys, app.runs.analysis; sys.exit('numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

"""The queue with the real engine: what lost its worker ends as what never was disturbed."""

import json
import signal
from collections.abc import Callable
from typing import Any

from app.domain.events import StepLogged
from app.runs.directory import RunDirectory
from app.runs.event_log import iter_steps, read_events
from app.runs.files import hash_tree
from app.runs.receipt import changed_files
from tests.tasks.conftest import House, WorkerProcess, wait_for

STEPS = 150


def newest_step(run: RunDirectory, attempt: int) -> int:
    steps = [e.step for e in read_events(run.events) if isinstance(e, StepLogged) and e.attempt == attempt]
    return max(steps, default=0)


def outcome(run: RunDirectory) -> dict[str, Any]:
    """What must not depend on interruptions: the adapter's bytes, the losses, the scores."""
    metrics = json.loads(run.metrics.read_text(encoding="utf-8"))
    return {
        "adapter": hash_tree(run.final_model)["adapter_model.safetensors"],
        "losses": [(event.step, event.loss) for event in iter_steps(read_events(run.events))],
        "scores": metrics["eval"],
        "steps": metrics["train"]["steps"],
    }


def test_a_training_whose_worker_was_killed_is_finished_by_another_with_the_same_bytes(
    real_house: House, start_worker: Callable[..., WorkerProcess]
) -> None:
    house = real_house
    house.config["training"] |= {"max_steps": STEPS}
    first = start_worker(house, "first")
    straight, disturbed = house.submit(), house.submit()
    run = house.run(disturbed)

    wait_for(lambda: newest_step(run, 1) > 20)
    first.kill(signal.SIGKILL)
    start_worker(house, "second")
    task = house.ended(disturbed)

    assert newest_step(run, 1) < STEPS, "it ended before it could be killed"
    assert (task.state, task.attempt, task.error_code) == ("SUCCESS", 2, None)
    assert house.task(straight).state == "SUCCESS"
    undisturbed = house.run(straight)
    assert outcome(run) == outcome(undisturbed)
    assert changed_files(run) == changed_files(undisturbed) == []
    assert house.audit("task.finish") == [(f"task:{straight}", "success"), (f"task:{disturbed}", "success")]

"""The queue with the real engine: what lost its worker ends as what never was disturbed."""

import json
import signal
from collections.abc import Callable
from typing import Any

from app.domain.events import StepLogged
from app.domain.task import TaskKind
from app.domain.train_config import TrainConfig
from app.runs.directory import RunDirectory
from app.runs.event_log import iter_steps, read_events
from app.runs.files import hash_tree, sha256_file
from app.runs.receipt import changed_files
from app.services import predictions, submission
from tests.tasks.conftest import House, WorkerProcess, wait_for

STEPS = 60


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


def test_a_training_whose_worker_was_killed_is_finished_by_another_with_the_same_bytes_and_other_work_is_done(
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

    # Work of other kinds, by the same worker.
    caller = house.caller()
    plan_id = submission.submit_plan(house.platform, caller, TrainConfig.model_validate(house.config))
    source = house.platform.settings.uploads_dir / "sent" / "in.csv"
    source.parent.mkdir(parents=True)
    source.write_text("id,text\n" + "".join(f"{n},a film number {n}\n" for n in range(20)), encoding="utf-8")
    payload = {"run": undisturbed.name, "source": "uploads/sent/in.csv", "upload": "sent", "shown": "in.csv"}
    predict_id = submission.submit_work(house.platform, caller, TaskKind.PREDICT, payload)

    planned = house.ended(plan_id)
    assert (planned.state, planned.error_detail) == ("SUCCESS", None)
    assert planned.result is not None
    assert planned.result["plan"]["total_steps"] == planned.result["total_steps"] == STEPS
    assert {decision["key"] for decision in planned.result["decisions"]} >= {"model.max_length", "lora.target_modules"}
    assert 0 < planned.result["seconds_a_step"] < planned.result["estimated_seconds"]
    assert 2**27 < planned.result["estimated_memory_bytes"] < 2**33
    predicted = house.ended(predict_id)
    assert (predicted.state, predicted.error_detail) == ("SUCCESS", None)
    labelled = predictions.download(house.platform, caller, predict_id)
    assert sha256_file(labelled.path) == labelled.sha256
    assert len(labelled.path.read_text(encoding="utf-8").splitlines()) == 21

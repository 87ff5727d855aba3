"""A run that is killed and goes on ends as one that never was."""

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.events import StepLogged
from app.runs.directory import RunDirectory
from app.runs.event_log import iter_steps, read_events
from app.runs.files import hash_tree
from tests.engine import Engine, trained
from tests.train.conftest import Finish, MakeRun, Start, a_run

TRAINING = {
    "max_steps": 80,
    "per_device_train_batch_size": 8,
    "learning_rate": 1e-3,
}


def _parts(model: Path) -> dict[str, Any]:
    return {
        "model": {"name": str(model)},
        "lora": {"lora_dropout": 0.1},
        "training": TRAINING,
        "checkpoints": {"every": 7},
    }


def _losses(run: RunDirectory) -> list[tuple[int, float]]:
    return [(event.step, event.loss) for event in iter_steps(read_events(run.events))]


def _adapter(run: RunDirectory) -> str:
    return hash_tree(run.final_model)["adapter_model.safetensors"]


def _metrics(run: RunDirectory) -> Any:
    metrics = json.loads(run.metrics.read_text(encoding="utf-8"))
    return metrics["eval"], metrics["train"]["steps"]


def _wait_for_step(run: RunDirectory, process: Engine, step: int, attempt_start: float) -> None:
    while process.poll() is None:
        steps = [e for e in read_events(run.events) if isinstance(e, StepLogged) and e.time >= attempt_start]
        if steps and steps[-1].step >= step:
            return
        time.sleep(0.005)


@pytest.fixture(scope="module")
def model(tiny_model: Callable[..., Path]) -> Path:
    """What each run starts from."""
    return tiny_model("bert", 2, 128)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, repository: Path, model: Path) -> RunDirectory:
    """The run that nothing disturbed."""
    return trained(a_run(tmp_path_factory.mktemp("results"), repository, "straight", **_parts(model)))


def test_a_run_killed_three_times_ends_with_the_same_bytes(
    make_run: MakeRun, start: Start, finish: Finish, model: Path, straight: RunDirectory
) -> None:
    killed = make_run("killed", **_parts(model))
    seed = random.randrange(10**6)
    moments = sorted(random.Random(seed).sample(range(8, 78), 3))
    print(f"killed after steps {moments} (seed {seed})")
    for moment in moments:
        began = time.time()
        process = start(killed)
        _wait_for_step(killed, process, moment, began)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert finish(killed) == 0

    assert _adapter(killed) == _adapter(straight)
    assert _losses(killed) == _losses(straight)
    assert len(_losses(straight)) == 80
    assert _metrics(killed) == _metrics(straight)


def test_a_stopped_run_saves_and_goes_on_where_it_was(
    make_run: MakeRun, start: Start, finish: Finish, model: Path, straight: RunDirectory
) -> None:
    stopped = make_run("stopped", **_parts(model))
    began = time.time()
    process = start(stopped)
    _wait_for_step(stopped, process, 31, began)
    process.terminate()
    assert process.wait(timeout=60) == 3
    assert not stopped.is_complete
    last = max(int(path.name.removeprefix("step-")) for path in stopped.checkpoints.glob("step-*"))
    assert last >= 31
    assert finish(stopped) == 0
    assert _adapter(stopped) == _adapter(straight)
    assert _losses(stopped) == _losses(straight)


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    make_run: MakeRun, start: Start, finish: Finish, model: Path, straight: RunDirectory
) -> None:
    damaged = make_run("damaged", **_parts(model))
    process = start(damaged)
    _wait_for_step(damaged, process, 40, 0.0)
    process.kill()
    process.wait()
    newest = max(damaged.checkpoints.glob("step-*"))
    weights = newest / "optimizer.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    assert finish(damaged) == 0
    assert "checkpoint.damaged" in damaged.events.read_text(encoding="utf-8")
    assert _adapter(damaged) == _adapter(straight)

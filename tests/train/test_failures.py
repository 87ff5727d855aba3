"""What can go wrong while an engine runs, and what it leaves behind."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.events import RunFinished
from app.runs.checkpoints import latest_verified, verify
from app.runs.directory import RunDirectory
from app.runs.event_log import read_events
from app.runs.files import tree_size
from app.runs.lock import next_attempt

Finish = Callable[[RunDirectory], int]


def _last(run: RunDirectory) -> RunFinished:
    event = read_events(run.events)[-1]
    assert isinstance(event, RunFinished)
    return event


def _can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def test_a_full_disk_ends_the_run_and_leaves_the_last_checkpoint_whole(
    make_run: Callable[..., RunDirectory], finish: Finish, tiny_model: Any
) -> None:
    if not _can_mount():
        pytest.skip("this machine lets no user mount a small file system to fill")
    parts: dict[str, Any] = {
        "model": {"name": str(tiny_model("bert", 2, 128))},
        "training": {"max_steps": 12, "per_device_train_batch_size": 8},
        "checkpoints": {"every": 4},
    }
    roomy, full = make_run("roomy", **parts), make_run("full", **parts)
    assert finish(roomy) == 0
    size = tree_size(roomy.checkpoints / "step-000012")
    full.checkpoints.mkdir(parents=True)
    script = (
        f"mount -t tmpfs -o size={int(1.5 * size)} tmpfs {full.checkpoints} && "
        f"{sys.executable} -m app.train {full.path}; code=$?; cp -r {full.checkpoints} {full.path}/kept; exit $code"
    )
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr[-2000:]
    assert _last(full).error_code == "storage.full"
    assert "free some disk space" in (_last(full).error_detail or "")
    kept = full.path / "kept"
    assert [path.name for path in kept.iterdir()] == ["step-000004"]
    assert verify(kept / "step-000004").step == 4


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_rate(
    make_run: Callable[..., RunDirectory], finish: Finish, tiny_model: Any, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    broken = tmp_path / "broken"
    shutil.copytree(tiny_model("bert"), broken)
    weights = load_file(broken / "model.safetensors")
    name = next(n for n in weights if n.endswith("layer.0.output.dense.weight"))
    weights[name].fill_(float("nan"))
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    run = make_run("run", model={"name": str(broken)}, training={"max_steps": 4})
    assert finish(run) == 1
    assert _last(run).error_code == "run.loss_not_finite"
    assert "learning_rate" in (_last(run).error_detail or "")
    assert not run.is_complete


def test_two_processes_on_one_run_the_second_is_refused(
    make_run: Callable[..., RunDirectory], start: Any, tiny_model: Any
) -> None:
    from app.runs.lock import run_lock

    run = make_run("run", model={"name": str(tiny_model("bert"))}, training={"max_steps": 4})
    with run_lock(run):
        assert start(run).wait(timeout=120) == 2
    assert "another process" in run.log.read_text(encoding="utf-8")
    assert not run.events.exists()


def test_an_attempt_that_was_taken_over_writes_no_checkpoint(
    make_run: Callable[..., RunDirectory], start: Any, tiny_model: Any
) -> None:
    import time

    run = make_run(
        "run",
        model={"name": str(tiny_model("bert", 2, 128))},
        training={"max_steps": 400, "per_device_train_batch_size": 8},
        checkpoints={"every": 200},
    )
    process = start(run)
    while process.poll() is None and '"type":"step"' not in (run.events.read_text() if run.events.exists() else ""):
        time.sleep(0.01)
    next_attempt(run, "another supervisor")
    assert process.wait(timeout=120) == 1
    assert _last(run).error_code == "run.superseded"
    assert latest_verified(run.checkpoints, "any")[0] is None
    assert not list(run.checkpoints.glob("step-*"))


def test_a_complete_run_is_not_run_again(make_run: Callable[..., RunDirectory], start: Any) -> None:
    run = make_run("run")
    run.receipt.write_text("{}", encoding="utf-8")
    assert start(run).wait(timeout=60) == 2
    assert "is complete" in run.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ({"lora": {"target_modules": ["querry"]}}, "lora.target_modules", "querry"),
        ({"lora": {"modules_to_save": ["nothing"]}}, "lora.modules_to_save", "nothing"),
    ],
)
def test_modules_the_architecture_does_not_have_are_named(
    part: dict[str, Any],
    value: str,
    words: str,
    make_run: Callable[..., RunDirectory],
    finish: Finish,
    tiny_model: Any,
) -> None:
    run = make_run("run", model={"name": str(tiny_model("bert"))}, **part)
    assert finish(run) == 1
    detail = _last(run).error_detail or ""
    assert value in detail
    assert words in detail
    assert "attention" not in detail or "query" in detail


def test_a_text_of_a_million_characters_trains(
    make_run: Callable[..., RunDirectory], finish: Finish, tiny_model: Any, tmp_path: Path, repository: Path
) -> None:
    data = tmp_path / "long.csv"
    lines = (repository / "examples" / "reviews_train.csv").read_text(encoding="utf-8").splitlines()[:60]
    data.write_text("\n".join([*lines, f"{'long ' * 200_000},positive"]) + "\n", encoding="utf-8")
    run = make_run(
        "run",
        model={"name": str(tiny_model("bert"))},
        data={"train": str(data)},
        training={"num_train_epochs": 1, "per_device_train_batch_size": 8},
    )
    assert finish(run) == 0, run.log.read_text(encoding="utf-8")[-2000:]
    assert '"code":"truncated"' in run.events.read_text(encoding="utf-8")

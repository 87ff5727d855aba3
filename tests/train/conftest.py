"""Runs of the real engine, in processes of their own, on tiny models."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.runs.directory import RunDirectory, create_run

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def make_run(tmp_path: Path, repository: Path) -> Callable[..., RunDirectory]:
    """Write the directory of a run on the example reviews; keywords are parts of the configuration."""

    def make(name: str, **parts: dict[str, Any]) -> RunDirectory:
        run = create_run(tmp_path / "results", name)
        data = {"train": str(repository / "examples" / "reviews_train.csv"), **parts.pop("data", {})}
        training = {"num_threads": 1, "precision": "fp32", "device": "cpu", **parts.pop("training", {})}
        config = {"experiment_name": "test", "data": data, "training": training, **parts}
        run.config.write_text(yaml.safe_dump(config), encoding="utf-8")
        return run

    return make


@pytest.fixture
def start() -> Start:
    """Start the engine on a run; its output goes to the run's log."""

    def go(run: RunDirectory) -> "subprocess.Popen[str]":
        with run.log.open("a", encoding="utf-8") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "app.train", str(run.path)], stdout=log, stderr=log, text=True
            )

    return go


@pytest.fixture
def finish(start: Start) -> Callable[[RunDirectory], int]:
    """Run the engine to its end; the exit status."""

    def go(run: RunDirectory) -> int:
        return start(run).wait(timeout=300)

    return go

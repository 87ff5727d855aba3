"""Runs of the real engine, in processes of their own, on tiny models."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.runs.directory import RunDirectory, create_run
from tests.engine import Engine

MakeRun = Callable[..., RunDirectory]
Start = Callable[[RunDirectory], Engine]
Finish = Callable[[RunDirectory], int]


def a_run(results: Path, repository: Path, name: str, **parts: dict[str, Any]) -> RunDirectory:
    """The directory of a run on the example reviews; keywords are parts of the configuration."""
    run = create_run(results, name)
    data = {"train": str(repository / "examples" / "reviews_train.csv"), **parts.pop("data", {})}
    training = {"num_threads": 1, "precision": "fp32", "device": "cpu", **parts.pop("training", {})}
    config = {"experiment_name": "test", "data": data, "training": training, **parts}
    run.config.write_text(yaml.safe_dump(config), encoding="utf-8")
    return run


@pytest.fixture
def make_run(tmp_path: Path, repository: Path) -> MakeRun:
    """Write the directory of a run, as `a_run` does, for this test."""
    return lambda name, **parts: a_run(tmp_path / "results", repository, name, **parts)


@pytest.fixture
def start() -> Start:
    """Start the engine on a run; its output goes to the run's log."""
    return Engine


@pytest.fixture
def finish(start: Start) -> Callable[[RunDirectory], int]:
    """Run the engine to its end; the exit status."""
    return lambda run: start(run).wait()

"""One finished run of a tiny model, and its predictor."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from app.runs.directory import RunDirectory, create_run
from app.serving.predictor import Predictor, load_run
from tests.engine import trained


@pytest.fixture(scope="session")
def finished_run(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[..., Path], repository: Path
) -> RunDirectory:
    """Eight steps on the example reviews."""
    run = create_run(tmp_path_factory.mktemp("serving") / "results", "served-001")
    config = {
        "experiment_name": "served",
        "model": {"name": str(tiny_model("bert")), "max_length": 32},
        "data": {"train": str(repository / "examples" / "reviews_train.csv")},
        "training": {"max_steps": 8, "num_threads": 1, "device": "cpu", "precision": "fp32"},
    }
    run.config.write_text(yaml.safe_dump(config), encoding="utf-8")
    return trained(run)


@pytest.fixture(scope="session")
def predictor(finished_run: RunDirectory) -> Predictor:
    """The run's final model in memory."""
    return load_run(finished_run)

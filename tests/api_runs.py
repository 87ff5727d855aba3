"""Runs as workers leave them, without a worker: rows in a real database, files in a real directory."""

import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from app.runs.directory import RunDirectory
    from app.services.platform import Platform

BEGAN = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
MODEL_FILES = {
    "artifacts/final_model/adapter_model.safetensors": bytes(range(256)) * 5000,
    "artifacts/final_model/adapter_config.json": b'{"r": 8}\n',
    "artifacts/final_model/load.json": '{"id2label": {"0": "負面", "1": "正面"}}'.encode(),
    "evaluation/report.html": "<!doctype html><title>報告</title>".encode(),
}


@dataclass(frozen=True)
class MadeRun:
    """A run that was made for a test."""

    name: str
    task_id: str
    experiment_id: int
    directory: "RunDirectory"


@dataclass
class Runs:
    """Makes runs in one installation, each an hour newer than the one before."""

    platform: "Platform"
    made: int = 0

    def add(
        self, name: str, owner: str | None = "user", state: str = "SUCCESS", *, accuracy: float = 0.9, **given: Any
    ) -> MadeRun:
        """A run in a state; one that succeeded has scores, a final model, a report and a receipt."""
        from app.db.repositories import experiments, metrics, tasks
        from app.domain.task import TaskState
        from app.runs.directory import RunDirectory

        self.made += 1
        directory = RunDirectory(self.platform.installation.results_dir / name)
        directory.path.mkdir(parents=True)
        directory.config.write_text("experiment_name: reviews\n")
        values = {
            "experiment_name": "reviews",
            "owner": owner,
            "config": {"experiment_name": "reviews", "lora": {"r": 8}},
            "base_model": "minilm",
            "data_name": "reviews@1",
            "data_version": "a" * 64,
            "seed": 1,
            "run_dir": name,
            "created_at": BEGAN + timedelta(hours=self.made),
        }
        with self.platform.installation.database.write() as session:
            experiment_id, task_id = experiments.create(session, name=name, **(values | given))
            tasks.put_in_queue(session, task_id, priority=0, memory_bytes=None)
            if state != TaskState.PENDING:
                token = str(uuid.uuid4())
                tasks.claim(session, task_id, token=token, pid=1, hostname="elsewhere")
                if state == TaskState.SUCCESS:
                    scores = {"accuracy": accuracy, "macro_f1": accuracy - 0.01, "loss": 1 - accuracy}
                    metrics.put_evaluation(session, experiment_id, "eval", scores)
                if state != TaskState.STARTED:
                    failed = (
                        {"error_code": "run.diverged", "error_detail": "損失不是有限數"} if state == "FAILURE" else {}
                    )
                    tasks.finish(session, task_id, token, TaskState(state), **failed)
        if state == TaskState.SUCCESS:
            leave_files(directory)
        return MadeRun(name, task_id, experiment_id, directory)

    def add_points(self, run: MadeRun, kind: str, steps: range, **values: float) -> None:
        """Points as an engine reports them."""
        from app.db.repositories import metrics

        points = [
            {
                "experiment_id": run.experiment_id,
                "kind": kind,
                "step": step,
                "attempt": 1,
                "time": float(step),
                "values": values | {"loss": 1 / (step + 1)},
            }
            for step in steps
        ]
        with self.platform.installation.database.write() as session:
            metrics.add_points(session, points)

    def share(self, name: str, grantee: str) -> None:
        """Let somebody read a run."""
        from app.db.repositories import shares

        with self.platform.installation.database.write() as session:
            shares.add(session, "experiment", name, grantee, "user")


def leave_files(directory: "RunDirectory") -> None:
    """What a finished run leaves behind, its receipt last."""
    from app.domain.manifest import Proof
    from app.runs.receipt import write_receipt

    for path, content in MODEL_FILES.items():
        (directory.path / path).parent.mkdir(parents=True, exist_ok=True)
        (directory.path / path).write_bytes(content)
    proof = Proof(passed=True, rows=8, label_agreement=1.0, max_abs_logit_diff=0.0)
    write_receipt(directory, data_version="a" * 64, code_revision="", proof=proof)


@pytest.fixture(scope="session")
def reviews_store(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results directory in which the example reviews are stored as `reviews@1`."""
    from app.domain.train_config import DataConfig
    from app.services import data_sets

    results = tmp_path_factory.mktemp("reviews-store")
    data_sets.add(results, "reviews", DataConfig(train=str(repository / "examples" / "reviews_train.csv")), seed=42)
    return results


@pytest.fixture
def own_reviews(reviews_store: Path) -> Callable[["Platform", str], None]:
    """`own_reviews(platform, username)` stores `reviews@1`, a labelled data set, for an account."""

    def store(platform: "Platform", username: str) -> None:
        from app.db.repositories import datasets

        shutil.copytree(reviews_store, platform.installation.results_dir, dirs_exist_ok=True)
        with platform.installation.database.write() as session:
            datasets.claim(session, "reviews", username)

    return store

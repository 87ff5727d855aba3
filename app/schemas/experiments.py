"""Bodies about experiments: lists, one in full, several side by side, what they left behind."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.domain.principal import USERNAME_PATTERN
from app.domain.task import Stage, TaskState
from app.schemas.tasks import TaskError

_NAME = "reviews-001"
_ITEM: dict[str, Any] = {
    "name": _NAME,
    "state": "SUCCESS",
    "created_at": "2026-01-31T12:30:00Z",
    "base_model": "minilm",
    "dataset": "reviews@1",
    "accuracy": 0.891,
    "runtime_seconds": 70.1,
    "macro_f1": 0.89,
    "loss": 0.3,
    "experiment": "reviews",
    "owner": "ada",
    "task_id": "0b6cf0ee-7a3e-4f4e-9f5f-0f8d4c1f3a11",
    "stage": "done",
    "progress": 1.0,
    "error": None,
}


class ExperimentItem(BaseModel):
    """A line of a list. The state is that of the latest task; scores are those on the evaluation rows."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ITEM]})

    name: str
    state: TaskState | None
    created_at: datetime
    base_model: str
    dataset: str | None
    accuracy: float | None
    runtime_seconds: float | None
    macro_f1: float | None
    loss: float | None
    experiment: str
    owner: str | None
    task_id: str | None
    stage: Stage | None
    progress: float | None
    error: TaskError | None


class Attempt(BaseModel):
    """The latest task of a run."""

    task_id: str
    attempt: int
    started_at: datetime | None
    finished_at: datetime | None
    eta_seconds: float | None


class Lineage(BaseModel):
    """What a run was made from."""

    data_version: str | None
    seed: int
    code_revision: str | None
    libraries: dict[str, Any]


class CheckpointView(BaseModel):
    """A checkpoint that is on disk; `path` is relative to the run."""

    step: int
    path: str
    size_bytes: int


class ExperimentView(ExperimentItem):
    """Everything that is known of a run."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                _ITEM
                | {
                    "task": {
                        "task_id": _ITEM["task_id"],
                        "attempt": 1,
                        "started_at": "2026-01-31T12:30:01Z",
                        "finished_at": "2026-01-31T12:31:40Z",
                        "eta_seconds": None,
                    },
                    "lineage": {
                        "data_version": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                        "seed": 42,
                        "code_revision": "0123abc",
                        "libraries": {"torch": "2.13.0"},
                    },
                    "metrics": {"eval": {"accuracy": 0.891}, "train": {"runtime_seconds": 70.1}},
                    "checkpoints": [{"step": 428, "path": "artifacts/checkpoints/step-000428", "size_bytes": 900000}],
                    "config": {"experiment_name": "reviews", "data": {"train": "reviews@1"}},
                    "plan": None,
                    "may_change": True,
                    "may_read_task": True,
                    "may_read_data": True,
                }
            ]
        }
    )

    task: Attempt | None
    lineage: Lineage
    metrics: dict[str, dict[str, Any]] = Field(description="final scores by split, and what training itself measured")
    checkpoints: list[CheckpointView]
    config: dict[str, Any]
    plan: dict[str, Any] | None
    may_change: bool = Field(False, description="whether whoever asks may share and delete it")
    may_read_task: bool = Field(False, description="whether they may see its task")
    may_read_data: bool = Field(False, description="whether they may see the data set it was trained on")


class Comparison(BaseModel):
    """Where runs differ: each dotted key with the runs' values, in the order of `runs`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "runs": ["reviews-001", "reviews-002"],
                    "config": {"lora.r": [8, 16]},
                    "data": {},
                    "plan": {"total_steps": [428, 856]},
                    "metrics": {"eval.accuracy": [0.891, 0.903]},
                }
            ]
        }
    )

    runs: list[str]
    config: dict[str, list[Any]]
    data: dict[str, list[Any]]
    plan: dict[str, list[Any]]
    metrics: dict[str, list[Any]]


class Deletion(BaseModel):
    """What deleting a run takes away; deleting asks for `confirm`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": _NAME, "size_bytes": 1500000, "num_checkpoints": 3, "shared_with": ["bob"], "confirm": _NAME}
            ]
        }
    )

    name: str
    size_bytes: int
    num_checkpoints: int
    shared_with: list[str]
    confirm: str


class Assignment(BaseModel):
    """Whom a run shall belong to; null takes it from everybody."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"owner": "ada"}]})

    owner: str | None = Field(pattern=USERNAME_PATTERN, max_length=64)


class Artifact(BaseModel):
    """A file a finished run has left behind, as its receipt names it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "path": "artifacts/final_model/adapter_model.safetensors",
                    "size_bytes": 1193392,
                    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                }
            ]
        }
    )

    path: str
    size_bytes: int
    sha256: str


class ArtifactList(BaseModel):
    """All files of a finished run, by path."""

    run: str
    total_bytes: int
    items: list[Artifact]

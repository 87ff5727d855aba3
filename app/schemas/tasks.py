"""Bodies about background work: where a task stands, what it reported, what it gave."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.domain.task import Stage, TaskKind, TaskState

_TASK_ID = "0b6cf0ee-7a3e-4f4e-9f5f-0f8d4c1f3a11"
_TASK_EXAMPLE: dict[str, Any] = {
    "task_id": _TASK_ID,
    "kind": "train",
    "experiment": "reviews-001",
    "status": "STARTED",
    "stage": "training",
    "progress": 0.42,
    "eta_seconds": 31.5,
    "attempt": 1,
    "metrics": {"step": 180, "total_steps": 428, "loss": 0.31, "learning_rate": 0.0007, "eval_accuracy": 0.871},
    "result": None,
    "error": None,
    "created_at": "2026-01-31T12:30:00Z",
    "started_at": "2026-01-31T12:30:01Z",
    "finished_at": None,
}


class RunResult(BaseModel):
    """What a training gave; `artifacts` is the path its files are listed at."""

    run: str
    accuracy: float | None
    artifacts: str


class TaskError(BaseModel):
    """Why a task failed; `retryable` where the infrastructure was at fault, not the program or the data."""

    code: str
    detail: str | None
    retryable: bool


class TaskView(BaseModel):
    """Where a task stands.

    `metrics` has the newest values by the names transformers logs them under (`loss`, `eval_accuracy`); `result` of
    work that is no training is what that work gives.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_TASK_EXAMPLE]})

    task_id: str
    kind: TaskKind
    experiment: str | None = Field(description="the run's name; null for work that is no training")
    status: TaskState
    stage: Stage
    progress: float = Field(ge=0, le=1)
    eta_seconds: float | None
    attempt: int
    metrics: dict[str, float]
    result: RunResult | dict[str, Any] | None
    error: TaskError | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class TaskItem(BaseModel):
    """A line of a list of tasks."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {key: value for key, value in _TASK_EXAMPLE.items() if key not in ("metrics", "result")}
                | {"owner": "ada", "priority": 0}
            ]
        }
    )

    task_id: str
    kind: TaskKind
    experiment: str | None
    owner: str | None
    status: TaskState
    stage: Stage
    progress: float
    eta_seconds: float | None
    attempt: int
    priority: int
    error: TaskError | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Accepted(BaseModel):
    """Work that was accepted and will be done; `GET /task/{task_id}` tells how it goes."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"task_id": _TASK_ID, "experiment": "reviews-001", "status": "PENDING"}]}
    )

    task_id: str
    experiment: str | None
    status: TaskState


class LogChunk(BaseModel):
    """A piece of a log; ask for `next_offset` to go on. It is the offset given where nothing is there yet."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "epoch 1 of 3\n", "offset": 0, "next_offset": 13, "size_bytes": 13}]}
    )

    text: str
    offset: int = Field(description="where the text begins, in bytes")
    next_offset: int = Field(description="where the next piece begins, in bytes")
    size_bytes: int = Field(description="what there is of the log by now")


class MetricPoint(BaseModel):
    """One report of a run: `kind` step, eval or system; `time` in Unix seconds."""

    id: int
    kind: str
    step: int | None
    attempt: int
    time: float
    values: dict[str, Any]


class MetricSeries(BaseModel):
    """Points in the order of their reports; ask with `since=last_id` for what came after them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "points": [
                        {
                            "id": 7,
                            "kind": "step",
                            "step": 10,
                            "attempt": 1,
                            "time": 1769862600.5,
                            "values": {"loss": 0.61, "learning_rate": 0.0002},
                        }
                    ],
                    "last_id": 7,
                    "matching": 1,
                    "sampled": False,
                }
            ]
        }
    )

    points: list[MetricPoint]
    last_id: int = Field(description="of the newest point, or the `since` that was asked for where there is none")
    matching: int = Field(description="how many points there were before they were thinned out")
    sampled: bool = Field(description="whether points were left out to keep to `max_points`")

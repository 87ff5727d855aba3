"""Bodies about the installation at work: workers, what waits, what runs."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.domain.task import Stage, TaskKind, TaskState

_RUNNING: dict[str, Any] = {
    "task_id": "0b6cf0ee-7a3e-4f4e-9f5f-0f8d4c1f3a11",
    "kind": "train",
    "experiment": "reviews-001",
    "owner": "ada",
    "hostname": "trainer-1",
    "device": "cpu",
    "stage": "training",
    "progress": 0.42,
    "eta_seconds": 31.5,
    "started_at": "2026-01-31T12:30:01Z",
    "tokens_per_second": 7039.0,
    "cpu_percent": 780.0,
    "memory_bytes": 2100000000,
    "gpu_percent": None,
    "gpu_memory_bytes": None,
}


class WorkerView(BaseModel):
    """A worker that lives: the kinds of work it does, the devices it does them on, and when it last said so."""

    id: str
    kinds: list[TaskKind]
    devices: list[str]
    heard_at: datetime


class TaskCount(BaseModel):
    """How many tasks of a kind are in a state that is not final."""

    kind: TaskKind
    state: TaskState
    tasks: int


class RunningView(BaseModel):
    """A task that a worker does now; speed and load are from the newest report of a training."""

    task_id: str
    kind: TaskKind
    experiment: str | None
    owner: str | None
    hostname: str | None
    device: str | None
    stage: Stage
    progress: float
    eta_seconds: float | None
    started_at: datetime | None
    tokens_per_second: float | None
    cpu_percent: float | None = Field(description="100 is one core")
    memory_bytes: float | None
    gpu_percent: float | None
    gpu_memory_bytes: float | None


class MonitorView(BaseModel):
    """The installation at work; `running` has the newest tasks where there are many, the numbers are of all."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "workers": [
                        {
                            "id": "6f1c2d7b-4c0e-4b6f-9c2a-8d3f5e6a7b8c",
                            "kinds": ["train", "plan"],
                            "devices": ["cpu"],
                            "heard_at": "2026-01-31T12:30:00Z",
                        }
                    ],
                    "queue": [{"kind": "train", "state": "PENDING", "tasks": 3}],
                    "oldest_waiting_at": "2026-01-31T12:20:00Z",
                    "running": [_RUNNING],
                    "num_running": 1,
                    "num_machines": 1,
                    "tokens_per_second": 7039.0,
                }
            ]
        }
    )

    workers: list[WorkerView]
    queue: list[TaskCount]
    oldest_waiting_at: datetime | None
    running: list[RunningView]
    num_running: int = Field(0, description="all tasks that run")
    num_machines: int = Field(0, description="on which they run")
    tokens_per_second: float = Field(0.0, description="of all trainings together")

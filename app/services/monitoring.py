"""The installation at work, for administrators: workers, what waits, what runs and how fast."""

from typing import Any

from app.db.repositories import counts, metrics, task_lists, workers
from app.db.repositories.task_lists import TaskRecord
from app.db.session import Session
from app.domain.task import TaskKind, TaskState
from app.schemas.monitor import MonitorView, RunningView, TaskCount, WorkerView
from app.services.platform import Platform

MAX_RUNNING = 100


def overview(platform: Platform) -> MonitorView:
    """All of it, read in one transaction."""
    with platform.installation.database.read() as session:
        running = task_lists.page(
            session, owner=None, states=[TaskState.STARTED], kind=None, after=None, limit=MAX_RUNNING
        )
        return MonitorView(
            workers=[
                WorkerView(id=row.id, kinds=[TaskKind(kind) for kind in row.kinds], devices=row.devices,
                           heard_at=row.heard_at)
                for row in workers.alive(session)
            ],
            queue=[
                TaskCount(kind=TaskKind(kind), state=TaskState(state), tasks=number)
                for (kind, state), number in sorted(counts.active_tasks(session).items())
            ],
            oldest_waiting_at=counts.oldest_waiting(session),
            running=[_running(session, record) for record in running.items],
        )  # fmt: skip


def _running(session: Session, record: TaskRecord) -> RunningView:
    task = record.task
    step, system = _newest(session, task.experiment_id, "step"), _newest(session, task.experiment_id, "system")
    return RunningView.model_validate(
        {
            "task_id": task.id,
            "kind": task.kind,
            "experiment": record.experiment,
            "owner": task.owner,
            "hostname": task.hostname,
            "device": task.device,
            "stage": task.stage,
            "progress": task.progress,
            "eta_seconds": task.eta_seconds,
            "started_at": task.started_at,
            "tokens_per_second": step.get("tokens_per_second"),
            **{key: system.get(key) for key in ("cpu_percent", "memory_bytes", "gpu_percent", "gpu_memory_bytes")},
        }
    )


def _newest(session: Session, experiment_id: int | None, kind: str) -> dict[str, Any]:
    row = metrics.newest_point(session, experiment_id, kind) if experiment_id is not None else None
    return dict(row[1]) if row else {}

"""The installation at work, for administrators: workers, what waits, what runs and how fast."""

from collections.abc import Mapping
from typing import Any

from app.db.repositories import counts, metrics, task_lists, workers
from app.db.repositories.task_lists import TaskRecord
from app.domain.task import TaskKind, TaskState
from app.schemas.monitor import MonitorView, RunningView, TaskCount, WorkerView
from app.services.platform import Platform

MAX_RUNNING = 25
"""Tasks that are shown one by one; the totals are of all."""
_LOAD = ("cpu_percent", "memory_bytes", "gpu_percent", "gpu_memory_bytes")


def overview(platform: Platform) -> MonitorView:
    """All of it, read in one transaction."""
    with platform.installation.database.read() as session:
        running = task_lists.page(
            session, owner=None, states=[TaskState.STARTED], kind=None, after=None, limit=MAX_RUNNING
        )
        newest = metrics.newest_of_tasks(session, [one.task.id for one in running.items], ("step", "system"))
        num_running, num_machines, speed = metrics.running_totals(session)
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
            running=[_running(record, newest) for record in running.items],
            num_running=num_running,
            num_machines=num_machines,
            tokens_per_second=speed,
        )  # fmt: skip


def _running(record: TaskRecord, newest: Mapping[tuple[int, str], dict[str, Any]]) -> RunningView:
    task = record.task
    step, system = (newest.get((task.experiment_id or 0, kind), {}) for kind in ("step", "system"))
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
            **{key: system.get(key) for key in _LOAD},
        }
    )

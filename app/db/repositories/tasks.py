"""Tasks: claims by conditional UPDATE, leases, and the transitions `domain.task` allows."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from app.db.tables import ExperimentRow, TaskRow
from app.db.tables.base import utc_now
from app.domain.task import Stage, TaskState, may_follow

LEASE = timedelta(seconds=60)


def states_before(new: TaskState) -> list[TaskState]:
    """The states `new` may follow."""
    return [state for state in TaskState if may_follow(state, new)]


def started_tasks(session: Session) -> list[tuple[TaskRow, str]]:
    """All tasks that claim to be running, each with the directory of its run."""
    query = select(TaskRow, ExperimentRow.run_dir).join(ExperimentRow, ExperimentRow.id == TaskRow.experiment_id)
    return [(task, run_dir) for task, run_dir in session.execute(query.where(TaskRow.state == TaskState.STARTED))]


def events_offset(session: Session, task_id: str) -> int:
    """Bytes of events.jsonl that are in the database already."""
    return session.get_one(TaskRow, task_id).events_offset


def _change(session: Session, task_id: str, *conditions: Any, **values: Any) -> bool:
    """Update one task where the conditions still hold; False when they no longer do."""
    statement = update(TaskRow).where(TaskRow.id == task_id, *conditions).values(**values)
    result = session.execute(statement, execution_options={"synchronize_session": "fetch"})
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def reopen(session: Session, task_id: str) -> bool:
    """Let a failed or stopped task be claimed again; False when it runs or has succeeded."""
    ended = [state for state in states_before(TaskState.RETRY) if state.is_final]
    return _change(session, task_id, TaskRow.state.in_(ended), state=TaskState.RETRY, finished_at=None)


def claim(session: Session, task_id: str, *, token: str, pid: int, hostname: str) -> int | None:
    """Take a waiting task; the number of the attempt, or None when somebody else was faster."""
    now = utc_now()
    taken = _change(
        session,
        task_id,
        TaskRow.state.in_(states_before(TaskState.STARTED)),
        state=TaskState.STARTED,
        stage=Stage.QUEUED,
        attempt=TaskRow.attempt + 1,
        token=token,
        pid=pid,
        hostname=hostname,
        lease_expires_at=now + LEASE,
        started_at=now,
        finished_at=None,
        error_code=None,
        error_detail=None,
        retryable=False,
    )
    return session.scalar(select(TaskRow.attempt).where(TaskRow.id == task_id)) if taken else None


def renew_lease(session: Session, task_id: str, token: str) -> bool:
    """Hold on to a running task; False when the claim is lost."""
    return _change(session, task_id, *_held(token), lease_expires_at=utc_now() + LEASE)


def record_progress(session: Session, task_id: str, token: str, **values: Any) -> bool:
    """Write what the engine reported (stage, progress, eta_seconds, events_offset); False when the claim is lost."""
    return _change(session, task_id, *_held(token), **values)


def finish(
    session: Session,
    task_id: str,
    token: str | None,
    state: TaskState,
    *,
    error_code: str | None = None,
    error_detail: str | None = None,
    retryable: bool = False,
) -> bool:
    """End a running attempt; False when its claim is lost or it has ended already."""
    values: dict[str, Any] = {"state": state, "finished_at": utc_now(), "lease_expires_at": None, "eta_seconds": None}
    if state is TaskState.SUCCESS:
        values |= {"stage": Stage.DONE, "progress": 1.0}
    return _change(
        session,
        task_id,
        *_held(token),
        **values,
        error_code=error_code,
        error_detail=error_detail,
        retryable=retryable,
    )


def _held(token: str | None) -> tuple[Any, ...]:
    return TaskRow.state == TaskState.STARTED, TaskRow.token == token


def lease_expired(task: TaskRow, now: datetime) -> bool:
    """Whether the claim on a task has run out."""
    return task.lease_expires_at is None or task.lease_expires_at < now

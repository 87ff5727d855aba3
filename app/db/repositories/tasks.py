"""Tasks: claims by conditional UPDATE, leases, and the transitions `domain.task` allows.

Which waiting task is next, and which shall wake a worker, is in `task_queue`.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.orm import Session

from app.db.tables import ExperimentRow, TaskRow
from app.db.tables.base import utc_now
from app.domain.task import Stage, TaskKind, TaskState, may_follow

LEASE = timedelta(seconds=60)
WAITING = (TaskState.PENDING, TaskState.RETRY)


def states_before(new: TaskState) -> list[TaskState]:
    """The states `new` may follow."""
    return [state for state in TaskState if may_follow(state, new)]


def create(session: Session, kind: TaskKind, owner: str | None, *, task_id: str | None = None, **values: Any) -> str:
    """Add a waiting task that any worker may do; its id, a new one unless it is given."""
    task = TaskRow(id=task_id or str(uuid.uuid4()), kind=kind, owner=owner, is_queued=True, **values)
    session.add(task)
    session.flush()
    return task.id


def get(session: Session, task_id: str) -> TaskRow | None:
    """One task."""
    return session.get(TaskRow, task_id)


def put_in_queue(session: Session, task_id: str, **values: Any) -> None:
    """Let any worker do a waiting task; `values` are further columns of it."""
    _change(session, task_id, TaskRow.state.in_(WAITING), is_queued=True, **values)


def training_of(session: Session, task_id: str) -> tuple[str, dict[str, Any]] | None:
    """Directory and configuration of a training's run; None for other work."""
    query = select(ExperimentRow.run_dir, ExperimentRow.config)
    query = query.join(TaskRow, TaskRow.experiment_id == ExperimentRow.id).where(TaskRow.id == task_id)
    row = session.execute(query).first()
    return (row[0], row[1]) if row else None


def started_tasks(session: Session, *, queued: bool) -> list[tuple[TaskRow, str | None]]:
    """Tasks that claim to be running, those of the queue or the others, each with the directory of its run."""
    query = select(TaskRow, ExperimentRow.run_dir).outerjoin(ExperimentRow, ExperimentRow.id == TaskRow.experiment_id)
    query = query.where(TaskRow.state == TaskState.STARTED, TaskRow.is_queued == queued)
    return [(task, run_dir) for task, run_dir in session.execute(query)]


def events_offset(session: Session, task_id: str) -> int:
    """Bytes of events.jsonl that are in the database already."""
    return session.get_one(TaskRow, task_id).events_offset


def lock_events_offset(session: Session, task_id: str, token: str) -> int | None:
    """As `events_offset`, which nobody else moves until the transaction ends; None when the claim is lost."""
    query = select(TaskRow.events_offset).where(TaskRow.id == task_id, *_held(token))
    return session.scalar(query.with_for_update())


def _change(session: Session, task_id: str, *conditions: Any, **values: Any) -> bool:
    """Update one task where the conditions still hold; False when they no longer do."""
    statement = update(TaskRow).where(TaskRow.id == task_id, *conditions).values(**values)
    result = session.execute(statement, execution_options={"synchronize_session": "fetch"})
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def reopen(session: Session, task_id: str, **values: Any) -> bool:
    """Let a failed or stopped task be claimed again; False when it runs or has succeeded."""
    ended = [state for state in states_before(TaskState.RETRY) if state.is_final]
    fresh = {"finished_at": None, "cancel_requested_at": None, "not_before": None, "failures": 0}
    return _change(session, task_id, TaskRow.state.in_(ended), state=TaskState.RETRY, **fresh, **values)


def claim(
    session: Session, task_id: str, *, token: str, pid: int, hostname: str, lease: timedelta = LEASE
) -> int | None:
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
        lease_expires_at=now + lease,
        started_at=now,
        finished_at=None,
        error_code=None,
        error_detail=None,
        retryable=False,
    )
    return session.scalar(select(TaskRow.attempt).where(TaskRow.id == task_id)) if taken else None


def renew_lease(session: Session, task_id: str, token: str, lease: timedelta = LEASE) -> bool:
    """Hold on to a running task; False when the claim is lost."""
    return _change(session, task_id, *_held(token), lease_expires_at=utc_now() + lease)


def take_over(
    session: Session, task_id: str, token: str, expires_at: datetime | None, *, new_token: str, lease: timedelta
) -> bool:
    """Take a claim from whoever holds it, for another lease; False where it was renewed, or is another one."""
    unrenewed = TaskRow.lease_expires_at == expires_at
    return _change(session, task_id, *_held(token), unrenewed, token=new_token, lease_expires_at=utc_now() + lease)


@dataclass(frozen=True)
class Standing:
    """What a worker asks again and again of what it does: is it still mine, and shall I stop?"""

    is_held: bool
    is_cancelled: bool


def standing(session: Session, task_id: str, token: str) -> Standing:
    """How a claim stands."""
    row = session.execute(select(TaskRow.cancel_requested_at).where(TaskRow.id == task_id, *_held(token))).first()
    return Standing(is_held=row is not None, is_cancelled=row is not None and row[0] is not None)


def request_cancel(session: Session, task_id: str) -> TaskState | None:
    """Revoke a waiting task, or ask the worker of a running one to stop it.

    The state it is in then, REVOKED or STARTED; None when it has ended already.
    """
    now = utc_now()
    if _change(session, task_id, TaskRow.state.in_(WAITING), state=TaskState.REVOKED, finished_at=now):
        return TaskState.REVOKED
    asked = func.coalesce(TaskRow.cancel_requested_at, now)
    if _change(session, task_id, TaskRow.state == TaskState.STARTED, cancel_requested_at=asked):
        return TaskState.STARTED
    return None


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
    failures: int = 0,
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
        failures=failures,
    )


def give_back(
    session: Session,
    task_id: str,
    token: str,
    *,
    failures: int,
    not_before: datetime | None,
    error_code: str | None,
    error_detail: str | None,
) -> bool:
    """End a running attempt so that another follows, from `not_before` on; False when its claim is lost."""
    return _change(
        session,
        task_id,
        *_held(token),
        state=TaskState.RETRY,
        stage=Stage.QUEUED,
        lease_expires_at=None,
        eta_seconds=None,
        enqueued_at=None,
        failures=failures,
        not_before=not_before,
        error_code=error_code,
        error_detail=error_detail,
        retryable=True,
    )


def _held(token: str | None) -> tuple[Any, ...]:
    return TaskRow.state == TaskState.STARTED, TaskRow.token == token


def lease_expired(task: TaskRow, now: datetime) -> bool:
    """Whether the claim on a task has run out."""
    return task.lease_expires_at is None or task.lease_expires_at < now

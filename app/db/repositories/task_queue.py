"""The queue of waiting tasks: which is next for a worker, which shall wake one, how many somebody has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from app.db.repositories import tasks
from app.db.repositories.tasks import WAITING
from app.db.tables import ExperimentRow, TaskRow, UserRow
from app.db.tables.base import utc_now
from app.domain.task import LONGEST_DELAY_SECONDS, TaskKind, TaskState

PATIENCE = timedelta(minutes=10)
"""From then on a task that has no room on a worker keeps others from taking what becomes free there."""

_FARTHEST = timedelta(seconds=2 * LONGEST_DELAY_SECONDS)
"""No attempt is put off for so long; a later time was written by a machine whose clock was wrong."""


@dataclass(frozen=True)
class Claimant:
    """A worker that has room for one task of `kinds`, in `free_memory_bytes` where its memory is limited.

    `devices` are those it can do it on; None takes work for any.
    `max_running` is how many of these kinds an account may have running at once, where it has no limit of its own.
    """

    token: str
    pid: int
    hostname: str
    kinds: Sequence[TaskKind]
    lease: timedelta
    max_running: int
    free_memory_bytes: int | None = None
    devices: Sequence[str] | None = None


def claim_next(session: Session, claimant: Claimant) -> TaskRow | None:
    """Claim the next task in fair order that has room; None when there is none.

    Owners with the fewest running come first, then the higher priority, then the owner who was served longest ago,
    then the older task. Call it in a transaction that writes alone: else two workers could pass one account's limit
    together, or want the same task.
    """
    query, free = _fair_order(claimant.kinds, claimant.max_running, claimant.devices), claimant.free_memory_bytes
    if free is not None:
        fits = func.coalesce(TaskRow.memory_bytes, 0) <= free
        query = query.where(or_(fits, TaskRow.created_at < utc_now() - PATIENCE))
    task = session.scalar(query.limit(1))
    if task is None or (free is not None and (task.memory_bytes or 0) > free):
        return None
    taken = tasks.claim(
        session, task.id, token=claimant.token, pid=claimant.pid, hostname=claimant.hostname, lease=claimant.lease
    )
    if taken is None:
        return None
    session.refresh(task)
    return task


def waiting(
    session: Session, kinds: Sequence[TaskKind], max_running: int, limit: int, devices: Sequence[str] | None = None
) -> list[TaskRow]:
    """The next tasks in fair order that a worker with room could claim now."""
    return list(session.scalars(_fair_order(kinds, max_running, devices).limit(limit)))


def undelivered(
    session: Session, kinds: Sequence[TaskKind], max_running: int, *, sent_before: datetime, limit: int
) -> list[TaskRow]:
    """As `waiting`, those alone for which no message was sent since `sent_before`, as far as times can be true."""
    query = _fair_order(kinds, max_running)
    sent = TaskRow.enqueued_at
    query = query.where(or_(sent.is_(None), sent < sent_before, sent > utc_now()))
    return list(session.scalars(query.limit(limit)))


def mark_enqueued(session: Session, task_ids: Sequence[str]) -> None:
    """Note that a message was sent for these just now."""
    session.execute(update(TaskRow).where(TaskRow.id.in_(task_ids)).values(enqueued_at=utc_now()))


def count_waiting(session: Session, owner: str) -> int:
    """How many tasks of an account wait."""
    query = select(func.count()).where(TaskRow.owner == owner, TaskRow.state.in_(WAITING), TaskRow.is_queued)
    return session.scalar(query) or 0


def next_end_seconds(session: Session, owner: str) -> float | None:
    """In how many seconds the first of an account's running tasks ends, where one says so."""
    query = select(func.min(TaskRow.eta_seconds))
    return session.scalar(query.where(TaskRow.owner == owner, TaskRow.state == TaskState.STARTED))


def newest_runs(session: Session, experiment_name: str, limit: int = 50) -> list[str]:
    """Names of the runs of an experiment that were made last."""
    query = select(ExperimentRow.name).where(ExperimentRow.experiment_name == experiment_name)
    return list(session.scalars(query.order_by(ExperimentRow.id.desc()).limit(limit)))


def is_run(session: Session, name: str) -> bool:
    """Whether a run of that name is recorded."""
    return session.scalar(select(ExperimentRow.id).where(ExperimentRow.name == name)) is not None


def limits_of(session: Session, username: str) -> tuple[int | None, int | None] | None:
    """How many tasks an account may have running and waiting, each None where the installation's limit holds."""
    row = session.execute(select(UserRow.max_running, UserRow.max_queued).where(UserRow.username == username)).first()
    return (row[0], row[1]) if row else None


def _fair_order(kinds: Sequence[TaskKind], max_running: int, devices: Sequence[str] | None = None) -> Select[Any]:
    running = (
        select(TaskRow.owner, func.count().label("number"))
        .where(TaskRow.state == TaskState.STARTED, TaskRow.is_queued, TaskRow.kind.in_(kinds))
        .group_by(TaskRow.owner)
        .subquery()
    )
    other = aliased(TaskRow)
    served = select(func.max(other.started_at)).where(other.owner == TaskRow.owner).scalar_subquery()
    number = func.coalesce(running.c.number, 0)
    now = utc_now()
    query = (
        select(TaskRow)
        .outerjoin(running, running.c.owner == TaskRow.owner)
        .outerjoin(UserRow, UserRow.username == TaskRow.owner)
        .where(
            TaskRow.state.in_(WAITING),
            TaskRow.is_queued,
            TaskRow.kind.in_(kinds),
            or_(TaskRow.not_before.is_(None), TaskRow.not_before <= now, TaskRow.not_before > now + _FARTHEST),
            number < func.coalesce(UserRow.max_running, max_running),
            UserRow.is_disabled.is_not(True),
        )
        .order_by(number, TaskRow.priority.desc(), served.asc().nulls_first(), TaskRow.created_at, TaskRow.id)
    )
    return query if devices is None else query.where(or_(TaskRow.device.is_(None), TaskRow.device.in_(devices)))

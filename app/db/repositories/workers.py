"""Live workers, and what they can do; times of other machines are believed within minutes, either way."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db.tables import WorkerRow
from app.db.tables.base import utc_now
from app.domain.task import TaskKind

ALIVE = timedelta(minutes=5)
"""A worker counts for so long after it was last heard of: one that is started again is not missed meanwhile."""
_FORGOTTEN = timedelta(days=1)


def heard(session: Session, worker_id: str, kinds: Sequence[TaskKind], devices: Sequence[str]) -> None:
    """Note that a worker is alive and what it offers; those not heard of for long are forgotten."""
    now = utc_now()
    session.merge(WorkerRow(id=worker_id, kinds=[kind.value for kind in kinds], devices=list(devices), heard_at=now))
    session.execute(delete(WorkerRow).where(WorkerRow.heard_at < now - _FORGOTTEN))


def offered(session: Session, kind: TaskKind) -> set[str] | None:
    """The devices on which live workers do a kind of work; None where no worker that does it is alive."""
    devices = [row.devices for row in alive(session) if kind in row.kinds]
    return {device for some in devices for device in some} if devices else None


def alive(session: Session) -> list[WorkerRow]:
    """The workers that live."""
    now = utc_now()
    living = select(WorkerRow).where(WorkerRow.heard_at.between(now - ALIVE, now + ALIVE))
    return list(session.scalars(living.order_by(WorkerRow.id)))

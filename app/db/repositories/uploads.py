"""Files on their way in: how much room they take of whom, and which nobody will come back for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, delete, func, select, update
from sqlalchemy.orm import Session

from app.db.tables import TaskRow, UploadRow, UserRow
from app.domain.task import TaskState

RECEIVING, CHECKING, QUEUED = "receiving", "checking", "queued"


def add(session: Session, *, upload_id: str, owner: str, size_bytes: int) -> None:
    """Note that somebody begins to send."""
    session.add(UploadRow(id=upload_id, owner=owner, size_bytes=size_bytes, state=RECEIVING))
    session.flush()


def change(session: Session, upload_id: str, **values: Any) -> bool:
    """Write `size_bytes`, `state`, `dataset`, `filename` or `task_id`; False where there is no such upload."""
    result = session.execute(update(UploadRow).where(UploadRow.id == upload_id).values(**values))
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def get(session: Session, upload_id: str) -> UploadRow | None:
    """One upload."""
    return session.get(UploadRow, upload_id)


def remove(session: Session, upload_id: str) -> bool:
    """Forget an upload; False where there was none."""
    result = session.execute(delete(UploadRow).where(UploadRow.id == upload_id))
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def bytes_of(session: Session, owner: str) -> int:
    """What an account's uploads on their way in take."""
    return int(session.scalar(select(func.sum(UploadRow.size_bytes)).where(UploadRow.owner == owner)) or 0)


def count_receiving(session: Session, owner: str) -> int:
    """How many uploads of an account are being sent."""
    query = select(func.count()).select_from(UploadRow)
    return session.scalar(query.where(UploadRow.owner == owner, UploadRow.state == RECEIVING)) or 0


def any_for(session: Session, dataset: str) -> bool:
    """Whether an upload is on its way to that data set."""
    return session.scalar(select(UploadRow.id).where(UploadRow.dataset == dataset).limit(1)) is not None


def begun_before(session: Session, moment: datetime) -> Sequence[UploadRow]:
    """Uploads that are not done although they began before a moment."""
    return session.scalars(select(UploadRow).where(UploadRow.created_at < moment)).all()


def all_ids(session: Session) -> set[str]:
    """Every upload there is."""
    return set(session.scalars(select(UploadRow.id)))


def awaited(session: Session) -> set[str]:
    """The uploads that unfinished tasks will read."""
    unfinished = [state for state in TaskState if not state.is_final]
    query = select(TaskRow.payload).where(TaskRow.payload.is_not(None), TaskRow.state.in_(unfinished))
    return {str(payload["upload"]) for payload in session.scalars(query) if payload and "upload" in payload}


def lock_account(session: Session, username: str) -> int | None:
    """The account's own limit of stored bytes, None without one; until the transaction ends nobody else gets past."""
    query = select(UserRow.max_stored_bytes).where(UserRow.username == username).with_for_update()
    return session.scalar(query)

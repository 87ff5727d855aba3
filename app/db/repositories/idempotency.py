"""Requests that create something, by the key their client gave: who answers one, and what the answer was."""

from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.tables import AuditEventRow, IdempotencyRow
from app.db.tables.base import utc_now


def add(session: Session, *, owner: str, key: str, request_sha256: str, request_id: str) -> bool:
    """Take a key for a request that will be answered now; False when it is taken already."""
    row = IdempotencyRow(owner=owner, key=key, request_sha256=request_sha256, request_id=request_id)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


def get(session: Session, owner: str, key: str) -> IdempotencyRow | None:
    """The request a key was given with."""
    return session.get(IdempotencyRow, (owner, key))


def take_over(session: Session, row: IdempotencyRow, request_id: str) -> bool:
    """Answer in place of a request that died; False when another one was faster."""
    return _change(session, row.owner, row.key, row.request_id, request_id=request_id, created_at=utc_now())


def complete(session: Session, *, owner: str, key: str, request_id: str, status: int, body: dict[str, Any]) -> bool:
    """Keep the answer, for whoever sends the request again; False when another request answers it now."""
    return _change(session, owner, key, request_id, status=status, body=body)


def forget(session: Session, *, owner: str, key: str, request_id: str) -> None:
    """Free the key of a request that failed."""
    session.execute(delete(IdempotencyRow).where(*_unanswered(owner, key, request_id)))


def forget_before(session: Session, moment: datetime) -> int:
    """Drop the keys given before a moment; how many."""
    result = session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < moment))
    assert isinstance(result, CursorResult)
    return result.rowcount


def effects(session: Session, request_id: str, since: datetime) -> list[str]:
    """What a request has changed, as the audit log has it: the resources (`task:ID`), in order."""
    query = (
        select(AuditEventRow.resource)
        .where(
            AuditEventRow.time >= since,
            AuditEventRow.request_id == request_id,
            AuditEventRow.outcome.in_(("success", "started")),
        )
        .order_by(AuditEventRow.id)
    )
    return list(session.scalars(query))


def _change(session: Session, owner: str, key: str, held_by: str, **values: Any) -> bool:
    statement = update(IdempotencyRow).where(*_unanswered(owner, key, held_by)).values(**values)
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def _unanswered(owner: str, key: str, request_id: str) -> tuple[Any, ...]:
    return (
        IdempotencyRow.owner == owner,
        IdempotencyRow.key == key,
        IdempotencyRow.request_id == request_id,
        IdempotencyRow.status.is_(None),
    )

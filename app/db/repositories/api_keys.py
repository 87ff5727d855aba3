"""API keys: found by their public prefix, checked by the hash of the whole."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, bindparam, delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.tables import ApiKeyRow, UserRow

_BY_PREFIX = (
    select(ApiKeyRow, UserRow)
    .join(UserRow, UserRow.id == ApiKeyRow.user_id)
    .where(ApiKeyRow.prefix == bindparam("prefix"))
)


def find(session: Session, prefix: str) -> tuple[ApiKeyRow, UserRow] | None:
    """The key with that prefix and its account, whether valid or not."""
    row = session.execute(_BY_PREFIX, {"prefix": prefix}).first()
    return (row[0], row[1]) if row else None


def is_valid(row: ApiKeyRow, now: datetime) -> bool:
    """Whether a key is neither revoked nor expired."""
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > now)


def active(session: Session, user_id: int, now: datetime) -> Sequence[ApiKeyRow]:
    """The valid keys of an account, by name."""
    query = select(ApiKeyRow).where(ApiKeyRow.user_id == user_id, *_valid(now))
    return session.scalars(query.order_by(ApiKeyRow.name)).all()


def add(session: Session, row: ApiKeyRow, now: datetime) -> bool:
    """Record a key; False when a valid one of the account has that name already."""
    same_name = (ApiKeyRow.user_id == row.user_id, ApiKeyRow.name == row.name)
    over = or_(ApiKeyRow.revoked_at.is_not(None), ApiKeyRow.expires_at <= now)
    session.execute(delete(ApiKeyRow).where(*same_name, over))
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


def used(session: Session, key_id: int, now: datetime) -> None:
    """Note that a key was used."""
    session.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(last_used_at=now))


def revoke(session: Session, user_id: int, key_id: int, now: datetime) -> ApiKeyRow | None:
    """End a key of an account; None when there is no valid one."""
    here = (ApiKeyRow.id == key_id, ApiKeyRow.user_id == user_id)
    row = session.scalar(select(ApiKeyRow).where(*here, *_valid(now)))
    if row is not None:
        row.revoked_at = now
    return row


def revoke_all(session: Session, user_id: int, now: datetime) -> int:
    """End all keys of an account; how many."""
    statement = update(ApiKeyRow).where(ApiKeyRow.user_id == user_id, *_valid(now)).values(revoked_at=now)
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return result.rowcount


def _valid(now: datetime) -> tuple[Any, ...]:
    return ApiKeyRow.revoked_at.is_(None), or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > now)

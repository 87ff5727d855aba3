"""Leases of duties: who does them for the whole installation, and when they were last done.

A time that lies further ahead than this code ever sets it was written by a machine whose clock was wrong, and does not
count: else a duty would rest until that time has come.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.tables import LeaseRow
from app.db.tables.base import utc_now


def take(session: Session, name: str, holder: str, duration: timedelta, *, every: timedelta) -> bool:
    """Take on a duty that was last done `every` ago or longer, for `duration`; False when it is not due or held."""
    now = utc_now()
    free = or_(LeaseRow.expires_at <= now, LeaseRow.holder == holder, LeaseRow.expires_at > now + 2 * duration)
    due = or_(LeaseRow.done_at.is_(None), LeaseRow.done_at <= now - every, LeaseRow.done_at > now + every)
    if _change(session, name, free, due, holder=holder, expires_at=now + duration):
        return True
    if session.scalar(select(LeaseRow.name).where(LeaseRow.name == name)) is not None:
        return False
    try:
        with session.begin_nested():
            session.add(LeaseRow(name=name, holder=holder, expires_at=now + duration))
    except IntegrityError:
        return False  # another process was faster
    return True


def done(session: Session, name: str, holder: str) -> bool:
    """Note that a duty is done and let go of it; False when it was taken over meanwhile."""
    now = utc_now()
    return _change(session, name, LeaseRow.holder == holder, expires_at=now, done_at=now)


def last_done(session: Session, name: str) -> datetime | None:
    """When a duty was last done to its end."""
    return session.scalar(select(LeaseRow.done_at).where(LeaseRow.name == name))


def _change(session: Session, name: str, *conditions: Any, **values: Any) -> bool:
    statement = update(LeaseRow).where(LeaseRow.name == name, *conditions).values(**values)
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return result.rowcount == 1

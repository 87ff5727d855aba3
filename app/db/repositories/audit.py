"""The audit log's rows and its head. Nothing here changes or deletes an event."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, Select, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.db.tables import AuditEventRow, AuditHeadRow
from app.domain.audit import AuditHead, ChainedEvent
from app.domain.errors import AuditUnavailable

_EVENTS: Any = AuditEventRow.__table__
_HEAD: Any = AuditHeadRow.__table__
_ONLY_ROW = 1


@contextmanager
def appending() -> Iterator[None]:
    """Whatever the database says against an append means that the log cannot be written."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise AuditUnavailable(
            "the audit log cannot be written, so nothing was changed",
            hint="try again; an administrator finds the reason in the server's log",
        ) from error


def head(session: Session) -> AuditHead | None:
    """The head; None where nothing was ever recorded."""
    return _head_of(session.execute(_select_head()).first())


def locked_head(session: Session) -> AuditHead | None:
    """The head, kept from every other transaction that appends until this one ends."""
    return _head_of(session.execute(_select_head().with_for_update()).first())


def begin(session: Session, first: AuditHead) -> None:
    """Make the head unless another process was faster."""
    dialect: Any = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    session.execute(dialect.insert(_HEAD).values(id=_ONLY_ROW, **asdict(first)).on_conflict_do_nothing())


def add(session: Session, stored: ChainedEvent, new_head: AuditHead) -> None:
    """Append an event and move the head to it; the head is locked by this transaction."""
    event = {name: getattr(stored.event, name) for name in stored.event.__dataclass_fields__}
    session.execute(insert(_EVENTS).values(**event, previous_hash=stored.previous_hash, hash=stored.hash))
    session.execute(update(_HEAD).where(_HEAD.c.id == _ONLY_ROW).values(**asdict(new_head)))


def _select_head() -> Select[int, str, str]:
    return select(_HEAD.c.last_id, _HEAD.c.last_hash, _HEAD.c.signature).where(_HEAD.c.id == _ONLY_ROW)


def _head_of(row: Row[int, str, str] | None) -> AuditHead | None:
    return None if row is None else AuditHead(last_id=row[0], last_hash=row[1], signature=row[2])

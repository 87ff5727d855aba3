"""The audit log's rows and its head. Nothing here changes or deletes an event."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.db.tables import AuditEventRow, AuditHeadRow
from app.domain.audit import AuditHead, ChainedEvent
from app.domain.errors import AuditUnavailable

_EVENTS: Any = AuditEventRow.__table__
_HEAD: Any = AuditHeadRow.__table__
_ONLY_ROW = 1

# Built once: building a statement takes longer than running it.
_SELECT_HEAD = select(_HEAD.c.last_id, _HEAD.c.last_hash, _HEAD.c.signature).where(_HEAD.c.id == _ONLY_ROW)
_LOCK_HEAD = _SELECT_HEAD.with_for_update()
_ADD_EVENT = insert(_EVENTS)
_MOVE_HEAD = (
    update(_HEAD)
    .where(_HEAD.c.id == _ONLY_ROW)
    .values({name: bindparam(f"new_{name}") for name in ("last_id", "last_hash", "signature")})
)


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
    return _head_of(session.execute(_SELECT_HEAD).first())


def locked_head(session: Session) -> AuditHead | None:
    """The head, kept from every other transaction that appends until this one ends."""
    return _head_of(session.connection().execute(_LOCK_HEAD).first())


def begin(session: Session, first: AuditHead) -> None:
    """Make the head unless another process was faster."""
    dialect: Any = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    session.execute(dialect.insert(_HEAD).values(id=_ONLY_ROW, **asdict(first)).on_conflict_do_nothing())


def add(session: Session, chained: ChainedEvent, new_head: AuditHead) -> None:
    """Append an event and move the head to it; the head is locked by this transaction."""
    links = {"previous_hash": chained.previous_hash, "hash": chained.hash}
    connection = session.connection()
    connection.execute(_ADD_EVENT, {**vars(chained.event), **links})
    connection.execute(_MOVE_HEAD, {f"new_{name}": value for name, value in vars(new_head).items()})


def _head_of(row: Row[int, str, str] | None) -> AuditHead | None:
    return None if row is None else AuditHead(last_id=row[0], last_hash=row[1], signature=row[2])

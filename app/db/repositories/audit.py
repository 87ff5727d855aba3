"""The audit log's rows and its head. Nothing here changes or deletes an event."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, delete, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.db.tables import AuditEventRow, AuditHeadRow
from app.domain.audit import AuditEvent, AuditFilter, AuditHead, ChainedEvent
from app.domain.errors import AuditUnavailable

_EVENTS: Any = AuditEventRow.__table__
_HEAD: Any = AuditHeadRow.__table__
_ONLY_ROW = 1
_COLUMNS = [_EVENTS.c[name] for name in (*AuditEvent.__dataclass_fields__, "previous_hash", "hash")]

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


def replace_head(session: Session, new_head: AuditHead) -> None:
    """Put another head in place of the one there is, or where there is none."""
    session.execute(delete(_HEAD))
    session.execute(insert(_HEAD).values(id=_ONLY_ROW, **asdict(new_head)))


def last_link(session: Session) -> tuple[int, str]:
    """The id and the hash of the newest event there is, whatever the head says; 0 and nothing for none."""
    row = session.execute(select(_EVENTS.c.id, _EVENTS.c.hash).order_by(_EVENTS.c.id.desc()).limit(1)).first()
    return (0, "") if row is None else (row[0], row[1])


def add(session: Session, chained: ChainedEvent, new_head: AuditHead) -> None:
    """Append an event and move the head to it; the head is locked by this transaction."""
    links = {"previous_hash": chained.previous_hash, "hash": chained.hash}
    connection = session.connection()
    connection.execute(_ADD_EVENT, {**vars(chained.event), **links})
    connection.execute(_MOVE_HEAD, {f"new_{name}": value for name, value in vars(new_head).items()})


def is_empty(session: Session) -> bool:
    """Whether there is no event at all."""
    return last_id(session) == 0


def last_id(session: Session) -> int:
    """The id of the newest event there is, whatever the head says; 0 for none."""
    return session.execute(select(func.max(_EVENTS.c.id))).scalar() or 0


def chain_after(session: Session, after_id: int, limit: int, wanted: AuditFilter | None = None) -> list[ChainedEvent]:
    """Events in order of their ids, with what they are chained by."""
    query = select(*_COLUMNS).where(_EVENTS.c.id > after_id, *_conditions(wanted or AuditFilter()))
    return [_chained(row) for row in session.execute(query.order_by(_EVENTS.c.id).limit(limit))]


def ids_after(session: Session, after_id: int, limit: int) -> list[int]:
    """The ids `chain_after` would give, also where an event itself cannot be read."""
    query = select(_EVENTS.c.id).where(_EVENTS.c.id > after_id)
    return list(session.scalars(query.order_by(_EVENTS.c.id).limit(limit)))


def newest(session: Session, wanted: AuditFilter, before_id: int | None, limit: int) -> list[AuditEvent]:
    """Events, newest first, that are older than `before_id`."""
    query = select(*_COLUMNS).where(*_conditions(wanted))
    if before_id is not None:
        query = query.where(_EVENTS.c.id < before_id)
    return [_chained(row).event for row in session.execute(query.order_by(_EVENTS.c.id.desc()).limit(limit))]


def count(session: Session, wanted: AuditFilter, at_most: int) -> int:
    """How many events match; counting ends at `at_most`."""
    matching = select(_EVENTS.c.id).where(*_conditions(wanted)).limit(at_most).subquery()
    return session.execute(select(func.count()).select_from(matching)).scalar_one()


def is_guarded(session: Session) -> bool:
    """Whether the database itself refuses to change and delete events."""
    if session.get_bind().dialect.name == "sqlite":
        query = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_events'"
        return session.execute(text(query)).scalar_one() >= 3
    query = (
        "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'audit_events'::regclass "
        "AND NOT tgisinternal AND tgenabled <> 'D'"
    )
    return session.execute(text(query)).scalar_one() >= 1


def _conditions(wanted: AuditFilter) -> Iterator[ColumnElement[bool]]:
    for name in ("actor", "action", "resource", "outcome"):
        value = getattr(wanted, name)
        if value is None:
            continue
        column = _EVENTS.c[name]
        if value.endswith("*"):
            yield column.startswith(value[:-1], autoescape=True)
        else:
            yield column == value
    if wanted.since is not None:
        yield _EVENTS.c.time >= wanted.since
    if wanted.until is not None:
        yield _EVENTS.c.time < wanted.until


def _chained(row: Any) -> ChainedEvent:
    *event, previous_hash, hash_ = row
    return ChainedEvent(AuditEvent(*event), previous_hash, hash_)


def _head_of(row: Row[int, str, str] | None) -> AuditHead | None:
    return None if row is None else AuditHead(last_id=row[0], last_hash=row[1], signature=row[2])

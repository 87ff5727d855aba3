"""Whose data sets are, and which of them somebody may see; what is in them are files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.repositories import shares
from app.db.tables import DatasetRow, ExperimentRow, TaskRow
from app.domain.task import TaskState

KIND = "dataset"
"""What shares call a data set."""


@dataclass(frozen=True)
class WaitingRun:
    """A run that is not at its end: what it was configured with, and where its directory is."""

    name: str
    run_dir: str
    config: dict[str, Any]


def get(session: Session, name: str) -> DatasetRow | None:
    """The data set of that name; None where nobody owns one."""
    return session.scalar(select(DatasetRow).where(DatasetRow.name == name))


def get_locked(session: Session, name: str) -> DatasetRow | None:
    """As `get`; until the transaction ends, nobody else changes it."""
    return session.scalar(
        select(DatasetRow).where(DatasetRow.name == name).with_for_update().execution_options(populate_existing=True)
    )


def claim(session: Session, name: str, owner: str | None) -> DatasetRow:
    """The data set of that name, locked; it is the given owner's where it was nobody's."""
    found = get_locked(session, name)
    if found is not None:
        return found
    row = DatasetRow(name=name, owner=owner, stored_bytes=0)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        found = get_locked(session, name)
        assert found is not None, "the name was taken this moment"
        return found
    return row


def has_lookalike(session: Session, name: str) -> bool:
    """Whether a data set's name differs from this one in capitals alone."""
    query = select(DatasetRow.id).where(func.lower(DatasetRow.name) == name.lower(), DatasetRow.name != name)
    return session.scalar(query.limit(1)) is not None


def delete(session: Session, row: DatasetRow) -> None:
    """Let go of a name."""
    session.delete(row)
    session.flush()


def visible(
    session: Session, username: str, *, after: str | None, limit: int, max_counted: int
) -> tuple[Sequence[DatasetRow], int]:
    """Data sets that somebody owns or was let read, by name, those behind `after` first.

    Beside them how many there are in all, counted up to one more than `max_counted`.
    """
    mine = _visible_to(username)
    counted = select(DatasetRow.id).where(mine).limit(max_counted + 1).subquery()
    total = session.scalar(select(func.count()).select_from(counted)) or 0
    query = select(DatasetRow).where(mine)
    if after is not None:
        query = query.where(DatasetRow.name > after)
    return session.scalars(query.order_by(DatasetRow.name).limit(limit)).all(), total


def _visible_to(username: str) -> ColumnElement[bool]:
    return or_(DatasetRow.owner == username, DatasetRow.name.in_(shares.shared_names(KIND, username)))


def all_names(session: Session) -> list[str]:
    """The names that are in the table."""
    return list(session.scalars(select(DatasetRow.name)))


def named(session: Session, names: Sequence[str]) -> dict[str, DatasetRow]:
    """The data sets of these names that are in the table."""
    return {row.name: row for row in session.scalars(select(DatasetRow).where(DatasetRow.name.in_(names)))}


def stored_bytes_of(session: Session, owner: str) -> int:
    """What all data sets of an owner take."""
    return int(session.scalar(select(func.sum(DatasetRow.stored_bytes)).where(DatasetRow.owner == owner)) or 0)


def waiting_runs(session: Session) -> list[WaitingRun]:
    """The runs whose latest attempt is not at its end."""
    unfinished = [state for state in TaskState if not state.is_final]
    query = (
        select(ExperimentRow.name, ExperimentRow.run_dir, ExperimentRow.config)
        .join(TaskRow, TaskRow.experiment_id == ExperimentRow.id)
        .where(TaskRow.state.in_(unfinished))
    )
    return [WaitingRun(*row) for row in session.execute(query)]

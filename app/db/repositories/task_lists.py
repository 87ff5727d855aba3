"""Tasks as people look at them: one with its run, lists by owner, state and kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, func, null, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, defer

from app.db.repositories.keyset import Key, Keyset, Part
from app.db.tables import ExperimentRow, TaskRow
from app.domain.task import TaskKind, TaskState


@dataclass(frozen=True)
class TaskRecord:
    """A task and, where it is a training, its run: `experiment` is the name, `run_dir` the directory."""

    task: TaskRow
    experiment: str | None
    run_dir: str | None


@dataclass(frozen=True)
class TaskPage:
    """`last` has the sort keys of the last item and its id, None where no page follows."""

    items: list[TaskRecord]
    total: int | None
    last: tuple[Any, ...] | None


def _records() -> Select[TaskRow, str, str]:
    return select(TaskRow, ExperimentRow.name, ExperimentRow.run_dir).outerjoin(
        ExperimentRow, ExperimentRow.id == TaskRow.experiment_id
    )


# Built once: whoever watches a task asks for both once a second.
_RECORD = _records().where(TaskRow.id == bindparam("task_id"))
_OWNER = select(TaskRow.owner).where(TaskRow.id == bindparam("task_id"))


def get(session: Session, task_id: str) -> TaskRecord | None:
    """One task."""
    row = session.execute(_RECORD, {"task_id": task_id}).first()
    return TaskRecord(*row) if row else None


def owner_of(session: Session, task_id: str) -> tuple[str | None] | None:
    """The owner of a task, in a tuple; None where there is no such task."""
    row = session.execute(_OWNER, {"task_id": task_id}).first()
    return (row[0],) if row else None


def page(
    session: Session,
    *,
    owner: str | None,
    states: Sequence[TaskState],
    kind: TaskKind | None,
    after: Sequence[Any] | None,
    limit: int,
) -> TaskPage:
    """A page of tasks, newest first; `owner` None means everybody's, no `states` means any."""
    parts = []
    if owner is not None:
        parts.append(_equal(TaskRow.owner, [owner], TaskRow.owner))
    if states:
        parts.append(_equal(TaskRow.state, list(states), TaskRow.state))
    if kind is not None:
        parts.append(_equal(TaskRow.kind, [kind], None))
    listing = Keyset(TaskRow.id, (Key(TaskRow.created_at, descending=True),), tuple(parts))
    found = listing.page(session, after, limit)
    identifiers = [row.unique_key for row in found.rows]
    query = _records().where(TaskRow.id.in_(identifiers)).options(defer(TaskRow.payload), defer(TaskRow.result))
    by_id = {row[0].id: TaskRecord(*row) for row in session.execute(query)}
    last = (found.rows[-1].key_0, identifiers[-1]) if found.has_more else None
    return TaskPage([by_id[one] for one in identifiers], found.total, last)


def positions(session: Session, task_ids: Sequence[str]) -> dict[str, tuple[str, str, int]]:
    """State, stage and attempt of tasks that somebody watches, by id."""
    query = select(TaskRow.id, TaskRow.state, TaskRow.stage, TaskRow.attempt)
    rows = session.execute(query.where(TaskRow.id.in_(task_ids)))
    return {row.id: (row.state, row.stage, row.attempt) for row in rows}


def _equal(
    column: InstrumentedAttribute[Any], values: Sequence[Any], indexed: InstrumentedAttribute[Any] | None
) -> Part:
    loose = func.coalesce(column, null())
    return Part(column.in_(values), or_(*(loose == value for value in values)), indexed)

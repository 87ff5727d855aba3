"""Experiments with the state of their latest task and their scores."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Boolean, ColumnElement, and_, bindparam, func, not_, null, or_, select, union_all, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.db.repositories import shares
from app.db.repositories.keyset import Key, Keyset, Part
from app.db.tables import ExperimentRow, ExperimentSummaryRow, TaskRow
from app.db.tables.base import utc_now
from app.domain.errors import Conflict
from app.domain.filters import COLUMNS, Combined, Comparison, Condition, Not, SortKey
from app.domain.task import TaskKind
from app.domain.wording import say


class ListedExperiment(NamedTuple):
    """One experiment as lists show it, with what its latest task says; plain columns, since a list has many."""

    experiment_id: int
    name: str
    experiment_name: str
    owner: str | None
    created_at: datetime
    base_model: str
    data_name: str | None
    runtime_seconds: float | None
    task_id: str | None
    state: str | None
    accuracy: float | None
    macro_f1: float | None
    loss: float | None
    stage: str | None
    progress: float | None
    error_code: str | None
    error_detail: str | None
    retryable: bool | None


@dataclass(frozen=True)
class ExperimentRecord:
    """One experiment in full; `task`, the latest, is None only for rows older than any task."""

    summary: ListedExperiment
    task: TaskRow | None
    experiment: ExperimentRow


_OF_TASK = ("stage", "progress", "error_code", "error_detail", "retryable")
_SHOWN = [getattr(TaskRow if name in _OF_TASK else ExperimentSummaryRow, name) for name in ListedExperiment._fields]
_LISTED = select(*_SHOWN).outerjoin_from(ExperimentSummaryRow, TaskRow, TaskRow.id == ExperimentSummaryRow.task_id)
# Built once: every page of a list runs it.
_LISTED_BY_ID = _LISTED.where(ExperimentSummaryRow.experiment_id.in_(bindparam("ids", expanding=True)))
_IN_FULL = (
    select(*_SHOWN, TaskRow, ExperimentRow)
    .select_from(ExperimentSummaryRow)
    .join(ExperimentRow, ExperimentRow.id == ExperimentSummaryRow.experiment_id)
    .outerjoin(TaskRow, TaskRow.id == ExperimentSummaryRow.task_id)
    .where(ExperimentRow.name == bindparam("name"))
)
_COLUMNS: dict[str, InstrumentedAttribute[Any]] = {
    "name": ExperimentSummaryRow.name,
    "experiment": ExperimentSummaryRow.experiment_name,
    "state": ExperimentSummaryRow.state,
    "accuracy": ExperimentSummaryRow.accuracy,
    "macro_f1": ExperimentSummaryRow.macro_f1,
    "loss": ExperimentSummaryRow.loss,
    "runtime_seconds": ExperimentSummaryRow.runtime_seconds,
    "base_model": ExperimentSummaryRow.base_model,
    "dataset": ExperimentSummaryRow.data_name,
    "created_at": ExperimentSummaryRow.created_at,
}
_KINDS: dict[str, type] = {"text": str, "state": str, "number": float, "time": datetime}
_BY_INDEX = frozenset({"=", ">", ">=", "<", "<="})
NEWEST_FIRST = (SortKey("created_at", descending=True),)


def _plain(name: str) -> ColumnElement[Any]:
    return _COLUMNS[name].expression


def _loose(name: str) -> ColumnElement[Any]:
    """A column in a form that no index serves."""
    return func.coalesce(_COLUMNS[name], null())


def _clause(condition: Condition, column_of: Callable[[str], ColumnElement[Any]]) -> ColumnElement[bool]:
    if isinstance(condition, Not):
        return not_(_clause(condition.condition, column_of))
    if isinstance(condition, Combined):
        join = and_ if condition.word == "and" else or_
        return join(*(_clause(part, column_of) for part in condition.conditions))
    return _comparison(condition, column_of(condition.column))


def _comparison(condition: Comparison, column: ColumnElement[Any]) -> ColumnElement[bool]:
    value = condition.value
    comparisons: dict[str, Any] = {
        "=": column.__eq__,
        "!=": column.__ne__,
        ">": column.__gt__,
        ">=": column.__ge__,
        "<": column.__lt__,
        "<=": column.__le__,
        "~": lambda text: _ContainsAnyCase(column, _pattern(str(text))),
    }
    clause: ColumnElement[bool] = comparisons[condition.operator](value)
    return clause


class _ContainsAnyCase(FunctionElement[bool]):
    """Whether a text contains another in any case: a plain LIKE in SQLite, which is twice as fast as with `lower`."""

    type = Boolean()
    inherit_cache = True


@compiles(_ContainsAnyCase)
def _as_ilike(element: _ContainsAnyCase, compiler: SQLCompiler, **options: Any) -> str:
    return _like(element, compiler, "ILIKE", options)


@compiles(_ContainsAnyCase, "sqlite")
def _as_like(element: _ContainsAnyCase, compiler: SQLCompiler, **options: Any) -> str:
    return _like(element, compiler, "LIKE", options)


def _like(element: _ContainsAnyCase, compiler: SQLCompiler, word: str, options: dict[str, Any]) -> str:
    column, pattern = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} {word} {pattern} ESCAPE '/')"


def _pattern(text: str) -> str:
    return f"%{text.replace('/', '//').replace('%', '/%').replace('_', '/_')}%"


def _parts(condition: Condition | None) -> Iterator[Part]:
    """The conditions that must all hold, each with the column whose index finds what meets it."""
    if condition is None:
        return
    if isinstance(condition, Combined) and condition.word == "and":
        for one in condition.conditions:
            yield from _parts(one)
        return
    by_index = isinstance(condition, Comparison) and condition.operator in _BY_INDEX
    column = _COLUMNS[condition.column] if isinstance(condition, Comparison) and by_index else None
    alone = isinstance(condition, Comparison) and not by_index
    yield Part(_clause(condition, _plain), _clause(condition, _plain if alone else _loose), column)


def _readable_by(username: str) -> Part:
    """What belongs to an account or is shared with it."""
    shared = shares.shared_names("experiment", username)
    row = ExperimentSummaryRow
    theirs = union_all(
        select(row.experiment_id).where(row.owner == username),
        select(row.experiment_id).where(row.name.in_(shared)),
    )
    loose = or_(func.coalesce(row.owner, null()) == username, func.coalesce(row.name, null()).in_(shared))
    return Part(row.experiment_id.in_(theirs), loose, row.owner, theirs)


def find(
    session: Session, where: Condition | None = None, sort: tuple[SortKey, ...] = NEWEST_FIRST, limit: int | None = None
) -> list[ListedExperiment]:
    """Experiments that meet `where`, ordered; those without a value come last."""
    query = _LISTED
    if where is not None:
        query = query.where(_clause(where, _plain))
    for key in sort:
        column = _COLUMNS[key.column]
        query = query.order_by(column.desc().nulls_last() if key.descending else column.asc().nulls_last())
    identifier = ExperimentSummaryRow.experiment_id
    query = query.order_by(identifier.desc() if sort[0].descending else identifier.asc())
    return [ListedExperiment._make(row) for row in session.execute(query.limit(limit))]


@dataclass(frozen=True)
class ExperimentPage:
    """`last` has the sort keys of the last item and its id, None where no page follows."""

    items: list[ListedExperiment]
    total: int | None
    last: tuple[Any, ...] | None


def page(
    session: Session,
    where: Condition | None,
    sort: tuple[SortKey, ...],
    *,
    after: Sequence[Any] | None,
    limit: int,
    readable_by: str | None = None,
) -> ExperimentPage:
    """A page of what `find` gives, after the item `last` of the page before names.

    `readable_by` keeps to what belongs to an account or is shared with it.
    """
    parts = [*_parts(where), *([_readable_by(readable_by)] if readable_by is not None else [])]
    keys = tuple(Key(_COLUMNS[key.column], key.descending) for key in sort)
    found = Keyset(ExperimentSummaryRow.experiment_id, keys, tuple(parts)).page(session, after, limit)
    identifiers = [row.unique_key for row in found.rows]
    by_id = {row[0]: ListedExperiment._make(row) for row in session.execute(_LISTED_BY_ID, {"ids": identifiers})}
    last = (*found.rows[-1][1 : len(keys) + 1], identifiers[-1]) if found.has_more else None
    return ExperimentPage([by_id[one] for one in identifiers], found.total, last)


def sort_kinds(sort: tuple[SortKey, ...]) -> list[type]:
    """The types of what `ExperimentPage.last` holds in this order."""
    return [*(_KINDS[COLUMNS[key.column]] for key in sort), int]


def get(session: Session, name: str) -> ExperimentRecord | None:
    """One experiment by its run name."""
    row = session.execute(_IN_FULL, {"name": name}).first()
    if row is None:
        return None
    *shown, task, experiment = row
    return ExperimentRecord(ListedExperiment._make(shown), task, experiment)


def names(session: Session) -> list[str]:
    """All run names."""
    return list(session.scalars(select(ExperimentRow.name).order_by(ExperimentRow.name)))


def create(session: Session, *, created_at: datetime | None = None, **values: Any) -> tuple[int, str]:
    """Add an experiment with a waiting task; the ids of both. Conflict when the name is taken."""
    experiment = ExperimentRow(library_versions={}, created_at=created_at or utc_now(), **values)
    session.add(experiment)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(
            say("a run named {name!r} is recorded already", name=values["name"]),
            hint="choose another --name",
            code="run.exists",
        ) from error
    task = TaskRow(id=str(uuid.uuid4()), kind=TaskKind.TRAIN, experiment_id=experiment.id, owner=experiment.owner)
    session.add(task)
    session.flush()
    return experiment.id, task.id


def set_plan(session: Session, experiment_id: int, plan: dict[str, Any]) -> None:
    """Store the resolved plan, and the data version it is for."""
    experiment = session.get_one(ExperimentRow, experiment_id)
    experiment.plan = plan
    experiment.data_version = plan.get("data", {}).get("version") or experiment.data_version


def set_results(session: Session, experiment_id: int, train: dict[str, Any] | None) -> None:
    """Store what metrics.json says of the training itself."""
    experiment = session.get_one(ExperimentRow, experiment_id)
    experiment.train_metrics = train
    experiment.runtime_seconds = (train or {}).get("runtime_seconds")


def set_environment(session: Session, experiment_id: int, code_revision: str | None, libraries: dict[str, Any]) -> None:
    """Store what the run was made with."""
    experiment = session.get_one(ExperimentRow, experiment_id)
    experiment.code_revision = code_revision
    experiment.library_versions = libraries


def set_owner(session: Session, experiment_id: int, owner: str | None) -> None:
    """Give an experiment, and its tasks, to somebody."""
    session.get_one(ExperimentRow, experiment_id).owner = owner
    session.execute(update(TaskRow).where(TaskRow.experiment_id == experiment_id).values(owner=owner))


def delete(session: Session, experiment_id: int) -> None:
    """Remove an experiment with all that hangs on it; a later one of that name is shared with nobody."""
    shares.remove(session, "experiment", session.get_one(ExperimentRow, experiment_id).name)
    session.execute(sql_delete(ExperimentRow).where(ExperimentRow.id == experiment_id))

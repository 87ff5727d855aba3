"""Experiments with the state of their latest task and their scores."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from app.db.tables import EvaluationRow, ExperimentRow, TaskRow
from app.db.tables.base import utc_now
from app.domain.errors import Conflict
from app.domain.filters import Combined, Comparison, Condition, Not, SortKey


@dataclass(frozen=True)
class ExperimentRecord:
    """One experiment as lists show it; `task` is None only for rows older than any task."""

    experiment: ExperimentRow
    task: TaskRow | None
    evaluation: EvaluationRow | None


_Latest = aliased(TaskRow)
_Eval = aliased(EvaluationRow)

_COLUMNS: dict[str, Any] = {
    "name": ExperimentRow.name,
    "experiment": ExperimentRow.experiment_name,
    "state": _Latest.state,
    "accuracy": _Eval.accuracy,
    "macro_f1": _Eval.macro_f1,
    "loss": _Eval.loss,
    "runtime_seconds": ExperimentRow.runtime_seconds,
    "base_model": ExperimentRow.base_model,
    "dataset": ExperimentRow.data_name,
    "created_at": ExperimentRow.created_at,
}


def _records() -> Select[ExperimentRow, TaskRow, EvaluationRow]:
    newest = (
        select(TaskRow.id)
        .where(TaskRow.experiment_id == ExperimentRow.id)
        .order_by(TaskRow.created_at.desc(), TaskRow.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(ExperimentRow, _Latest, _Eval)
        .select_from(ExperimentRow)
        .outerjoin(_Latest, _Latest.id == newest)
        .outerjoin(_Eval, and_(_Eval.experiment_id == ExperimentRow.id, _Eval.split == "eval"))
    )


def _clause(condition: Condition) -> ColumnElement[bool]:
    if isinstance(condition, Not):
        return not_(_clause(condition.condition))
    if isinstance(condition, Combined):
        join = and_ if condition.word == "and" else or_
        return join(*(_clause(part) for part in condition.conditions))
    return _comparison(condition)


def _comparison(condition: Comparison) -> ColumnElement[bool]:
    column, value = _COLUMNS[condition.column], condition.value
    comparisons: dict[str, Any] = {
        "=": column.__eq__,
        "!=": column.__ne__,
        ">": column.__gt__,
        ">=": column.__ge__,
        "<": column.__lt__,
        "<=": column.__le__,
        "~": lambda text: func.lower(column).contains(str(text).lower(), autoescape=True),
    }
    clause: ColumnElement[bool] = comparisons[condition.operator](value)
    return clause


def find(
    session: Session,
    where: Condition | None = None,
    sort: tuple[SortKey, ...] = (SortKey("created_at", descending=True),),
    limit: int | None = None,
) -> list[ExperimentRecord]:
    """Experiments that meet `where`, ordered; those without a value come last."""
    query = _records()
    if where is not None:
        query = query.where(_clause(where))
    for key in sort:
        column = _COLUMNS[key.column]
        query = query.order_by(column.desc().nulls_last() if key.descending else column.asc().nulls_last())
    query = query.order_by(ExperimentRow.id.desc()).limit(limit)
    return [ExperimentRecord(*row) for row in session.execute(query)]


def get(session: Session, name: str) -> ExperimentRecord | None:
    """One experiment by its run name."""
    row = session.execute(_records().where(ExperimentRow.name == name)).first()
    return ExperimentRecord(*row) if row else None


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
            f"a run named {values['name']!r} is recorded already", hint="choose another --name", code="run.exists"
        ) from error
    task = TaskRow(id=str(uuid.uuid4()), kind="train", experiment_id=experiment.id)
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
    """Give an experiment to somebody."""
    session.get_one(ExperimentRow, experiment_id).owner = owner


def delete(session: Session, experiment_id: int) -> None:
    """Remove an experiment with all that hangs on it."""
    session.execute(sql_delete(ExperimentRow).where(ExperimentRow.id == experiment_id))

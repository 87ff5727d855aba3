"""Metric points, final evaluations and checkpoints of a run."""

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, ScalarSelect, bindparam, delete, func, insert, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from app.db.tables import CheckpointRow, EvaluationRow, MetricPointRow, TaskRow
from app.domain.task import TaskState

_SCORES = ("accuracy", "macro_f1", "loss")
# Built once: whoever watches a task asks for both once a second.
_NEWEST = (
    select(MetricPointRow.step, MetricPointRow.values)
    .where(
        MetricPointRow.experiment_id == bindparam("experiment_id"),
        MetricPointRow.kind == bindparam("kind"),
    )
    .order_by(MetricPointRow.id.desc())
    .limit(1)
)
_EVALUATIONS = select(EvaluationRow.split, EvaluationRow.metrics).where(
    EvaluationRow.experiment_id == bindparam("experiment_id")
)


def add_points(session: Session, points: Sequence[dict[str, Any]]) -> None:
    """Append metric points in one statement; a value that is no number (a loss that diverged) is kept as null."""
    if points:
        session.execute(insert(MetricPointRow), [point | {"values": _storable(point["values"])} for point in points])


def _storable(value: Any) -> Any:
    """A value as JSON knows it, which has no infinities."""
    if isinstance(value, dict):
        return {key: _storable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_storable(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def points(session: Session, experiment_id: int, kind: str | None = None) -> list[MetricPointRow]:
    """Points in the order they were reported."""
    query = select(MetricPointRow).where(MetricPointRow.experiment_id == experiment_id)
    if kind is not None:
        query = query.where(MetricPointRow.kind == kind)
    return list(session.scalars(query.order_by(MetricPointRow.id)))


def count_points(session: Session, experiment_id: int, kind: str, since: int) -> int:
    """How many points of a kind there are after an id."""
    return session.scalar(select(func.count()).where(*_after(experiment_id, kind, since))) or 0


def first_points(session: Session, experiment_id: int, kind: str, since: int, at_most: int) -> list[MetricPointRow]:
    """The points of a kind after an id, in the order they were reported."""
    query = select(MetricPointRow).where(*_after(experiment_id, kind, since))
    return list(session.scalars(query.order_by(MetricPointRow.id).limit(at_most)))


def thinned_points(
    session: Session, experiment_id: int, kind: str, since: int, count: int, at_most: int
) -> list[MetricPointRow]:
    """Of the `count` points of a kind after an id `at_most`, evenly, the first and the newest among them."""
    if at_most < 2:
        newest = select(MetricPointRow).where(*_after(experiment_id, kind, since))
        return list(session.scalars(newest.order_by(MetricPointRow.id.desc()).limit(at_most)))
    place = func.row_number().over(order_by=MetricPointRow.id) - 1
    numbered = select(MetricPointRow.id, place.label("place")).where(*_after(experiment_id, kind, since)).subquery()
    # Of points 0 to count-1, those where the whole part of the place among the kept ones has just risen.
    here, before = (number * (at_most - 1) // (count - 1) for number in (numbered.c.place, numbered.c.place - 1))
    kept = select(numbered.c.id).where(or_(numbered.c.place == 0, here > before))
    return list(session.scalars(select(MetricPointRow).where(MetricPointRow.id.in_(kept)).order_by(MetricPointRow.id)))


def _after(experiment_id: int, kind: str, since: int) -> list[ColumnElement[bool]]:
    return [MetricPointRow.experiment_id == experiment_id, MetricPointRow.kind == kind, MetricPointRow.id > since]


def newest_point(session: Session, experiment_id: int, kind: str) -> Row[int, dict[str, Any]] | None:
    """Step and values of the latest report of a kind."""
    return session.execute(_NEWEST, {"experiment_id": experiment_id, "kind": kind}).first()


def _newest_of_task(kind: str) -> ScalarSelect[int | None]:
    """The id of the latest report of a kind of the run that a task makes."""
    point = aliased(MetricPointRow)
    found = select(func.max(point.id)).where(point.experiment_id == TaskRow.experiment_id, point.kind == kind)
    return found.correlate(TaskRow).scalar_subquery()


def newest_of_tasks(
    session: Session, task_ids: Sequence[str], kinds: Sequence[str]
) -> dict[tuple[int, str], dict[str, Any]]:
    """Values of the latest reports of the runs that tasks make, by run and kind."""
    ids = union_all(*(select(_newest_of_task(kind)).where(TaskRow.id.in_(task_ids)) for kind in kinds))
    query = select(MetricPointRow.experiment_id, MetricPointRow.kind, MetricPointRow.values)
    rows = session.execute(query.where(MetricPointRow.id.in_(ids)))
    return {(row.experiment_id, row.kind): row.values for row in rows}


def running_totals(session: Session) -> tuple[int, int, float]:
    """How many tasks run, on how many machines, and how many tokens a second all of them together do."""
    query = select(
        func.count(),
        func.count(TaskRow.hostname.distinct()),
        func.sum(MetricPointRow.values["tokens_per_second"].as_float()),
    ).select_from(TaskRow)
    query = query.outerjoin(MetricPointRow, MetricPointRow.id == _newest_of_task("step"))
    tasks, machines, speed = session.execute(query.where(TaskRow.state == TaskState.STARTED)).one()
    return tasks, machines, speed or 0.0


def put_evaluation(session: Session, experiment_id: int, split: str, metrics: dict[str, Any]) -> None:
    """Store the final scores of a split, in place of earlier ones."""
    session.execute(
        delete(EvaluationRow).where(EvaluationRow.experiment_id == experiment_id, EvaluationRow.split == split)
    )
    scores = {name: _storable(metrics.get(name)) for name in _SCORES}
    session.add(EvaluationRow(experiment_id=experiment_id, split=split, metrics=_storable(metrics), **scores))


def evaluations(session: Session, experiment_id: int) -> dict[str, dict[str, Any]]:
    """Final scores by split."""
    rows = session.execute(_EVALUATIONS, {"experiment_id": experiment_id})
    return {row.split: row.metrics for row in rows}


def put_checkpoint(session: Session, experiment_id: int, *, step: int, path: str, size_bytes: int) -> None:
    """Record a checkpoint whose manifest is on disk; a repeated step replaces its row."""
    remove_checkpoint(session, experiment_id, path=path)
    session.add(CheckpointRow(experiment_id=experiment_id, step=step, path=path, size_bytes=size_bytes))


def remove_checkpoint(
    session: Session, experiment_id: int, *, path: str | None = None, step: int | None = None
) -> None:
    """Forget a checkpoint that is no longer on disk, by path or by step."""
    query = delete(CheckpointRow).where(CheckpointRow.experiment_id == experiment_id)
    if path is not None:
        query = query.where(CheckpointRow.path == path)
    if step is not None:
        query = query.where(CheckpointRow.step == step)
    session.execute(query)


def checkpoints(session: Session, experiment_id: int) -> list[CheckpointRow]:
    """Checkpoints in order of steps."""
    query = select(CheckpointRow).where(CheckpointRow.experiment_id == experiment_id)
    return list(session.scalars(query.order_by(CheckpointRow.step)))

"""Tasks as people look at them: one with its run, lists by owner, state and kind."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import ExperimentRow, TaskRow


@dataclass(frozen=True)
class TaskRecord:
    """A task and, where it is a training, its run: `experiment` is the name, `run_dir` the directory."""

    task: TaskRow
    experiment_id: int | None
    experiment: str | None
    run_dir: str | None


def get(session: Session, task_id: str) -> TaskRecord | None:
    """One task."""
    query = select(TaskRow, ExperimentRow.id, ExperimentRow.name, ExperimentRow.run_dir).outerjoin(
        ExperimentRow, ExperimentRow.id == TaskRow.experiment_id
    )
    row = session.execute(query.where(TaskRow.id == task_id)).first()
    return TaskRecord(*row) if row else None


def owner_of(session: Session, task_id: str) -> tuple[str | None] | None:
    """The owner of a task, in a tuple; None where there is no such task."""
    row = session.execute(select(TaskRow.owner).where(TaskRow.id == task_id)).first()
    return (row[0],) if row else None

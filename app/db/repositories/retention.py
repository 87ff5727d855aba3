"""What has ended, for those who clean up after it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import ExperimentRow, TaskRow
from app.domain.task import TaskKind, TaskState

_FINAL = [state for state in TaskState if state.is_final]


def runs_ended(session: Session, *, since: datetime | None, before: datetime) -> Sequence[str]:
    """Directories of the runs whose last attempt ended in that time and that nobody goes on with."""
    waiting = select(TaskRow.experiment_id).where(TaskRow.state.not_in(_FINAL), TaskRow.experiment_id.is_not(None))
    query = (
        select(ExperimentRow.run_dir)
        .join(TaskRow, TaskRow.experiment_id == ExperimentRow.id)
        .where(TaskRow.state.in_(_FINAL), TaskRow.finished_at < before, ExperimentRow.id.not_in(waiting))
        .distinct()
    )
    if since is not None:
        query = query.where(TaskRow.finished_at >= since)
    return session.scalars(query).all()


def keeps_files(session: Session, task_id: str, ended_before: datetime) -> bool:
    """Whether work that is no training still needs its files: it has not ended, or ended later than that."""
    query = select(TaskRow.id).where(TaskRow.id == task_id, TaskRow.kind != TaskKind.TRAIN)
    return session.scalar(query.where(TaskRow.state.not_in(_FINAL) | (TaskRow.finished_at >= ended_before))) is not None

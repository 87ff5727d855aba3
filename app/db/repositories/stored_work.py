"""What the directories of tasks take on the disk: runs with their checkpoints, predictions."""

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from app.db.tables import TaskRow


def bytes_of(session: Session, owner: str) -> int:
    """What an account's runs and predictions take."""
    return int(session.scalar(select(func.sum(TaskRow.stored_bytes)).where(TaskRow.owner == owner)) or 0)


def put(session: Session, task_id: str, experiment_id: int | None, stored_bytes: int) -> None:
    """Note what a task's directory takes; for a training, in place of what earlier tasks of the same run noted."""
    if experiment_id is not None:
        _set(session, 0, TaskRow.experiment_id == experiment_id, TaskRow.id != task_id, TaskRow.stored_bytes > 0)
    _set(session, stored_bytes, TaskRow.id == task_id)


def put_run(session: Session, experiment_id: int, stored_bytes: int) -> None:
    """Note what a run's directory takes that has become smaller."""
    _set(session, stored_bytes, TaskRow.experiment_id == experiment_id, TaskRow.stored_bytes > 0)


def _set(session: Session, stored_bytes: int, *which: ColumnElement[bool]) -> None:
    statement = update(TaskRow).where(*which).values(stored_bytes=stored_bytes)
    session.execute(statement, execution_options={"synchronize_session": False})

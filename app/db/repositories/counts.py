"""How much there is of everything, for whoever watches the installation."""

from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db.tables import AuditHeadRow, DatasetRow, ExperimentRow, TaskRow, UserRow
from app.domain.task import TaskState

_ACTIVE = [state for state in TaskState if not state.is_final]
_WAITING = (TaskState.PENDING, TaskState.RETRY)


def tasks_by_state(session: Session) -> dict[str, int]:
    """How many tasks are in each state."""
    return {row[0]: row[1] for row in session.execute(_grouped(TaskRow.state))}


def active_tasks(session: Session) -> dict[tuple[str, str], int]:
    """How many tasks have not ended, by kind and state."""
    query = select(TaskRow.kind, TaskRow.state, func.count()).where(TaskRow.state.in_(_ACTIVE))
    rows = session.execute(query.group_by(TaskRow.kind, TaskRow.state))
    return {(kind, state): number for kind, state, number in rows}


def oldest_waiting(session: Session) -> datetime | None:
    """When the first of the waiting tasks was made."""
    return session.scalar(
        select(TaskRow.created_at).where(TaskRow.state.in_(_WAITING)).order_by(TaskRow.created_at).limit(1)
    )


def experiments(session: Session) -> int:
    """How many experiments there are."""
    return session.scalar(select(func.count()).select_from(ExperimentRow)) or 0


def accounts_by_role(session: Session) -> dict[str, int]:
    """How many accounts have each role."""
    return {row[0]: row[1] for row in session.execute(_grouped(UserRow.role))}


def datasets(session: Session) -> tuple[int, int]:
    """How many data sets there are, and their bytes."""
    number, size = session.execute(select(func.count(), func.sum(DatasetRow.stored_bytes))).one()
    return number, int(size or 0)


def audit_events(session: Session) -> int:
    """How many events the audit log has."""
    return session.scalar(select(func.max(AuditHeadRow.last_id))) or 0


def _grouped(column: InstrumentedAttribute[str]) -> Select[str, int]:
    return select(column, func.count()).group_by(column)

"""What is shared with whom."""

from collections.abc import Sequence

from sqlalchemy import CursorResult, Select, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.tables import ExperimentRow, ShareRow
from app.domain.principal import EVERYONE


def _with(username: str) -> list[str]:
    return [username, EVERYONE]


def is_shared(session: Session, kind: str, name: str, username: str) -> bool:
    """Whether somebody was let read an object, by name or with everyone."""
    query = select(ShareRow.id).where(
        ShareRow.kind == kind, ShareRow.name == name, ShareRow.grantee.in_(_with(username))
    )
    return session.scalar(query.limit(1)) is not None


def shared_names(kind: str, username: str) -> Select[str]:
    """The names of what somebody was let read, for use in `WHERE name IN (...)`."""
    return select(ShareRow.name).where(ShareRow.kind == kind, ShareRow.grantee.in_(_with(username)))


def of(session: Session, kind: str, name: str) -> Sequence[ShareRow]:
    """With whom an object is shared, by grantee."""
    query = select(ShareRow).where(ShareRow.kind == kind, ShareRow.name == name).order_by(ShareRow.grantee)
    return session.scalars(query).all()


def add(session: Session, kind: str, name: str, grantee: str, created_by: str) -> tuple[ShareRow, bool]:
    """Let somebody read; the share, and whether it is new."""
    row = ShareRow(kind=kind, name=name, grantee=grantee, created_by=created_by)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        known = session.scalar(
            select(ShareRow).where(ShareRow.kind == kind, ShareRow.name == name, ShareRow.grantee == grantee)
        )
        assert known is not None, "the share was there this moment"
        return known, False
    return row, True


def remove(session: Session, kind: str, name: str, grantee: str | None = None) -> int:
    """Take a share back, or all of an object; how many there were."""
    query = delete(ShareRow).where(ShareRow.kind == kind, ShareRow.name == name)
    if grantee is not None:
        query = query.where(ShareRow.grantee == grantee)
    result = session.execute(query)
    assert isinstance(result, CursorResult)
    return result.rowcount


def experiment_owner(session: Session, name: str) -> tuple[str | None] | None:
    """The owner of an experiment, in a tuple; None where there is no such experiment."""
    row = session.execute(select(ExperimentRow.owner).where(ExperimentRow.name == name)).first()
    return (row[0],) if row else None

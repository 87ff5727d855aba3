"""Accounts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.tables import UserRow
from app.domain.principal import Role


def any_exists(session: Session) -> bool:
    """Whether there is an account at all."""
    return session.scalar(select(UserRow.id).limit(1)) is not None


def get(session: Session, username: str) -> UserRow | None:
    """The account of that name."""
    return session.scalar(select(UserRow).where(UserRow.username == username))


def get_by_id(session: Session, user_id: int) -> UserRow | None:
    """The account with that id."""
    return session.get(UserRow, user_id)


def add(session: Session, *, username: str, password_hash: str, role: Role) -> UserRow | None:
    """A new account; None when the name is taken."""
    row = UserRow(username=username, password_hash=password_hash, role=role)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return None
    return row


def active_administrators(session: Session) -> list[str]:
    """The administrators that can sign in."""
    query = select(UserRow.username).where(UserRow.role == Role.ADMIN, UserRow.is_disabled.is_(False))
    return list(session.scalars(query))


def find(
    session: Session, *, role: Role | None = None, is_disabled: bool | None = None, after: str | None, limit: int
) -> tuple[Sequence[UserRow], int]:
    """Accounts by name, those behind `after` first; beside them how many match in all."""
    conditions: list[Any] = []
    if role is not None:
        conditions.append(UserRow.role == role)
    if is_disabled is not None:
        conditions.append(UserRow.is_disabled.is_(is_disabled))
    total = session.scalar(select(func.count()).select_from(UserRow).where(*conditions)) or 0
    if after is not None:
        conditions.append(UserRow.username > after)
    rows = session.scalars(select(UserRow).where(*conditions).order_by(UserRow.username).limit(limit)).all()
    return rows, total


def set_password(session: Session, user_id: int, password_hash: str, now: datetime) -> None:
    """Give an account another password."""
    session.execute(
        update(UserRow).where(UserRow.id == user_id).values(password_hash=password_hash, password_changed_at=now)
    )

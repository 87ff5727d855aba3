"""Sign-ins: families of refresh tokens of which the newest alone is valid."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Row, bindparam, delete, select, update
from sqlalchemy.orm import Session

from app.db.tables import LoginSessionRow, UserRow

# Built once: every request runs it.
_ACCOUNT = (
    select(UserRow.id, UserRow.username, UserRow.role)
    .join(LoginSessionRow, LoginSessionRow.user_id == UserRow.id)
    .where(
        LoginSessionRow.id == bindparam("session_id"),
        LoginSessionRow.revoked_at.is_(None),
        LoginSessionRow.expires_at > bindparam("now", type_=LoginSessionRow.expires_at.type),
        UserRow.id == bindparam("user_id"),
        UserRow.is_disabled.is_(False),
    )
)


def add(session: Session, row: LoginSessionRow) -> None:
    """Record a sign-in."""
    session.add(row)
    session.flush()


def account_of(session: Session, session_id: str, user_id: int, now: datetime) -> Row[int, str, str] | None:
    """Id, name and role of the account that is signed in so; None when either is not valid any more."""
    return session.execute(_ACCOUNT, {"session_id": session_id, "user_id": user_id, "now": now}).first()


def get(session: Session, session_id: str) -> LoginSessionRow | None:
    """One sign-in, whether valid or not."""
    return session.get(LoginSessionRow, session_id)


def active(session: Session, user_id: int, now: datetime) -> Sequence[LoginSessionRow]:
    """The valid sign-ins of an account, newest first."""
    query = select(LoginSessionRow).where(LoginSessionRow.user_id == user_id, *_valid(now))
    return session.scalars(query.order_by(LoginSessionRow.created_at.desc(), LoginSessionRow.id)).all()


def rotate(session: Session, session_id: str, old_hash: str, new_hash: str, now: datetime) -> bool:
    """Replace the refresh token; False when `old_hash` is not the newest, or the sign-in is over."""
    return (
        _change(
            session,
            LoginSessionRow.id == session_id,
            LoginSessionRow.refresh_hash == old_hash,
            *_valid(now),
            refresh_hash=new_hash,
            rotations=LoginSessionRow.rotations + 1,
            refreshed_at=now,
        )
        == 1
    )


def revoke(session: Session, session_id: str, user_id: int, because: str, now: datetime) -> bool:
    """End a sign-in of an account; False when there is none that is valid."""
    here = (LoginSessionRow.id == session_id, LoginSessionRow.user_id == user_id)
    return _change(session, *here, *_valid(now), revoked_at=now, revoked_because=because) == 1


def revoke_all(session: Session, user_id: int, because: str, now: datetime, *, but: str | None = None) -> int:
    """End the sign-ins of an account, all or all but one; how many."""
    others = () if but is None else (LoginSessionRow.id != but,)
    here = (LoginSessionRow.user_id == user_id, *others)
    return _change(session, *here, *_valid(now), revoked_at=now, revoked_because=because)


def forget_ended(session: Session, before: datetime) -> int:
    """Drop sign-ins that were over before a moment; how many."""
    over = (LoginSessionRow.expires_at < before) | (LoginSessionRow.revoked_at < before)
    result = session.execute(delete(LoginSessionRow).where(over))
    assert isinstance(result, CursorResult)
    return result.rowcount


def _valid(now: datetime) -> tuple[Any, ...]:
    return LoginSessionRow.revoked_at.is_(None), LoginSessionRow.expires_at > now


def _change(session: Session, *conditions: Any, **values: Any) -> int:
    statement = update(LoginSessionRow).where(*conditions).values(**values)
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return result.rowcount

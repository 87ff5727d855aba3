"""Whose data sets are, what is shared with whom, uploads on their way in, and requests that were made already."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, utc_now


class DatasetRow(Base):
    """The owner of a data set's name; its versions are files. `stored_bytes` counts towards the owner's limit."""

    __tablename__ = "datasets"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    owner: Mapped[str | None] = mapped_column(String(100), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    stored_bytes: Mapped[int] = mapped_column(BigInteger, default=0)


class ShareRow(Base):
    """`grantee`, an account or `*` for all, may read the experiment or data set called `name`."""

    __tablename__ = "shares"
    __table_args__ = (UniqueConstraint("kind", "name", "grantee"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(100))
    grantee: Mapped[str] = mapped_column(String(64), index=True)
    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class UploadRow(Base):
    """Files that were sent: they lie in the uploads directory until a version is made of them or they are orphaned.

    `dataset` is the name they shall be a version of, once that is known; `state` is receiving, checking or queued.
    """

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    owner: Mapped[str] = mapped_column(String(100), index=True)
    filename: Mapped[str] = mapped_column(String(255), default="")
    dataset: Mapped[str | None] = mapped_column(String(100), index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    state: Mapped[str] = mapped_column(String(12), default="receiving")
    task_id: Mapped[str | None] = mapped_column(String(36))
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)


class IdempotencyRow(Base):
    """A request that creates something, by its Idempotency-Key; `status` is None while it is being answered.

    `request_id` is that of the request which answers: by it the audit log tells whether one that died had an effect.
    """

    __tablename__ = "idempotency_keys"

    owner: Mapped[str] = mapped_column(String(100), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_sha256: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    body: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)

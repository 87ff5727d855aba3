"""Background work: the truth about what runs, who runs it, and until when that claim holds."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, utc_now
from app.domain.task import Stage, TaskState

_STATES = ", ".join(f"'{state.value}'" for state in TaskState)


class TaskRow(Base):
    """One task and its latest attempt; `token` fences off writers of earlier attempts.

    `is_queued` says that any worker may do it; without, only the process that made it goes on with it.
    `experiment_id` is None for work that is no training; what such work needs and gives is `payload` and `result`.
    `not_before` delays the next attempt, `failures` counts those the infrastructure spoilt, `enqueued_at` is when a
    message was last sent for it, `memory_bytes` what it is expected to take, `device` (cpu, cuda, mps) what it needs,
    None where any will do. `stored_bytes` is what its directory takes on the disk, which counts towards the owner's
    limit; of several tasks of one experiment the latest has it.

    `events_offset` counts the bytes of events.jsonl that are already in the database; it moves in the same
    transaction as what was read, so no event is lost or taken twice.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        CheckConstraint(f"state IN ({_STATES})", name="state"),
        CheckConstraint("progress >= 0 AND progress <= 1", name="progress"),
        Index("ix_tasks_experiment_id_created_at", "experiment_id", "created_at"),
        Index("ix_tasks_owner_created_at", "owner", "created_at"),
        Index("ix_tasks_owner_started_at", "owner", "started_at"),
        Index("ix_tasks_owner_stored_bytes", "owner", "stored_bytes"),
        Index("ix_tasks_created_at", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    experiment_id: Mapped[int | None] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"))
    owner: Mapped[str | None] = mapped_column(String(100))
    is_queued: Mapped[bool] = mapped_column(default=False)
    priority: Mapped[int] = mapped_column(default=0)
    payload: Mapped[dict[str, Any] | None]
    result: Mapped[dict[str, Any] | None]
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    device: Mapped[str | None] = mapped_column(String(10))
    stored_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    cancel_requested_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    enqueued_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(10), default=TaskState.PENDING, index=True)
    stage: Mapped[str] = mapped_column(String(20), default=Stage.QUEUED)
    progress: Mapped[float] = mapped_column(default=0.0)
    eta_seconds: Mapped[float | None]
    attempt: Mapped[int] = mapped_column(default=0)
    token: Mapped[str | None] = mapped_column(String(36))
    pid: Mapped[int | None]
    hostname: Mapped[str | None] = mapped_column(String(255))
    lease_expires_at: Mapped[datetime | None]
    events_offset: Mapped[int] = mapped_column(BigInteger, default=0)
    error_code: Mapped[str | None] = mapped_column(String(100))
    error_detail: Mapped[str | None] = mapped_column(Text)
    retryable: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

"""One narrow row an experiment: all that lists show, filter and sort by, each under an index."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base

SORTED_COLUMNS = (
    "name",
    "experiment_name",
    "state",
    "accuracy",
    "macro_f1",
    "loss",
    "runtime_seconds",
    "base_model",
    "data_name",
    "created_at",
)
"""A list may be sorted by these."""


class ExperimentSummaryRow(Base):
    """Derived, and written by triggers of the database alone: no program can forget or contradict it.

    `state` is that of the latest task, `task_id` names it; the scores are those on the evaluation rows.
    """

    __tablename__ = "experiment_summaries"
    __table_args__ = (
        *(Index(f"ix_experiment_summaries_{name}", name, "experiment_id") for name in SORTED_COLUMNS),
        Index("ix_experiment_summaries_owner_created_at", "owner", "created_at", "experiment_id"),
    )

    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    experiment_name: Mapped[str] = mapped_column(String(100))
    owner: Mapped[str | None] = mapped_column(String(100))
    created_at: Mapped[datetime]
    base_model: Mapped[str] = mapped_column(String(500))
    data_name: Mapped[str | None] = mapped_column(String(500))
    runtime_seconds: Mapped[float | None]
    task_id: Mapped[str | None] = mapped_column(String(36))
    state: Mapped[str | None] = mapped_column(String(10))
    accuracy: Mapped[float | None]
    macro_f1: Mapped[float | None]
    loss: Mapped[float | None]

"""One training run: what was asked for, on which data, from which code."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, utc_now


class ExperimentRow(Base):
    """`name` is the run's own name; its state is that of its latest task, kept nowhere else.

    `plan` and what depends on it fill in once the engine has resolved it; `runtime_seconds` and `train_metrics` when
    the run has finished. `run_dir` is relative to the results directory.
    """

    __tablename__ = "experiments"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    experiment_name: Mapped[str] = mapped_column(String(100), index=True)
    owner: Mapped[str | None] = mapped_column(String(100), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    config: Mapped[dict[str, Any]]
    plan: Mapped[dict[str, Any] | None]
    base_model: Mapped[str] = mapped_column(String(500))
    data_name: Mapped[str | None] = mapped_column(String(500))
    data_version: Mapped[str | None] = mapped_column(String(64), index=True)
    seed: Mapped[int] = mapped_column(BigInteger)
    code_revision: Mapped[str | None] = mapped_column(String(64))
    library_versions: Mapped[dict[str, Any]] = mapped_column(default=dict)
    run_dir: Mapped[str] = mapped_column(String(1000))
    runtime_seconds: Mapped[float | None]
    train_metrics: Mapped[dict[str, Any] | None]

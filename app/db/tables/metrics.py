"""What was measured: points along a run (append-only) and the final scores per split."""

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base


class MetricPointRow(Base):
    """One report of the engine. `kind` is step, eval or system; `time` Unix seconds; `step` None for system samples.

    One row holds all values of a report: writes stay cheap, and readers always want them together.
    """

    __tablename__ = "metric_points"
    __table_args__ = (Index("ix_metric_points_experiment_id_kind_id", "experiment_id", "kind", "id"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(10))
    step: Mapped[int | None]
    attempt: Mapped[int]
    time: Mapped[float]
    values: Mapped[dict[str, Any]]


class EvaluationRow(Base):
    """Final scores on one split (`eval` or `test`); `metrics` is that part of metrics.json whole."""

    __tablename__ = "evaluations"
    __table_args__ = (UniqueConstraint("experiment_id", "split"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"))
    split: Mapped[str] = mapped_column(String(10))
    accuracy: Mapped[float | None]
    macro_f1: Mapped[float | None]
    loss: Mapped[float | None]
    metrics: Mapped[dict[str, Any]]

"""The tables; importing this package makes all of them known to `Base.metadata`."""

from app.db.tables.base import Base
from app.db.tables.checkpoints import CheckpointRow
from app.db.tables.experiments import ExperimentRow
from app.db.tables.metrics import EvaluationRow, MetricPointRow
from app.db.tables.tasks import TaskRow

__all__ = ["Base", "CheckpointRow", "EvaluationRow", "ExperimentRow", "MetricPointRow", "TaskRow"]

"""The tables; importing this package makes all of them known to `Base.metadata`."""

from app.db.tables.accounts import ApiKeyRow, LoginSessionRow, UserRow
from app.db.tables.audit import AuditEventRow, AuditHeadRow
from app.db.tables.base import Base
from app.db.tables.checkpoints import CheckpointRow
from app.db.tables.experiments import ExperimentRow
from app.db.tables.leases import LeaseRow
from app.db.tables.metrics import EvaluationRow, MetricPointRow
from app.db.tables.sharing import DatasetRow, IdempotencyRow, ShareRow, UploadRow
from app.db.tables.summaries import ExperimentSummaryRow
from app.db.tables.tasks import TaskRow
from app.db.tables.workers import WorkerRow

__all__ = [
    "ApiKeyRow",
    "AuditEventRow",
    "AuditHeadRow",
    "Base",
    "CheckpointRow",
    "DatasetRow",
    "EvaluationRow",
    "ExperimentRow",
    "ExperimentSummaryRow",
    "IdempotencyRow",
    "LeaseRow",
    "LoginSessionRow",
    "MetricPointRow",
    "ShareRow",
    "TaskRow",
    "UploadRow",
    "UserRow",
    "WorkerRow",
]

"""The Celery task that wakes a worker for files: predictions for many rows, and data sets that take long to check."""

from celery import Celery

from app.domain.task import TaskKind
from app.tasks.celery_app import Work, register_wake

KINDS = (TaskKind.PREDICT, TaskKind.DATASET)


def register(celery: Celery, work: Work) -> None:
    """Let messages for these kinds call `work`."""
    register_wake(celery, KINDS, work)

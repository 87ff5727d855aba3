"""The Celery task that wakes a worker for trainings and plans; the database, not the message, says what is next."""

from celery import Celery

from app.domain.task import TaskKind
from app.tasks.celery_app import Work, register_wake

KINDS = (TaskKind.TRAIN, TaskKind.PLAN)


def register(celery: Celery, work: Work) -> None:
    """Let messages for these kinds call `work`."""
    register_wake(celery, KINDS, work)

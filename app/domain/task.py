"""The only state machine: background work and its attempts, in Celery's words."""

from enum import StrEnum


class TaskState(StrEnum):
    """Where a task stands; the same six words in the database, the API and the terminal."""

    PENDING = "PENDING"
    STARTED = "STARTED"
    RETRY = "RETRY"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    REVOKED = "REVOKED"

    @property
    def is_final(self) -> bool:
        """True when no worker will touch the task again unless a person resumes it."""
        return self in (TaskState.SUCCESS, TaskState.FAILURE, TaskState.REVOKED)


class TaskKind(StrEnum):
    """What kind of background work a task is."""

    TRAIN = "train"
    PLAN = "plan"
    PREDICT = "predict"
    DATASET = "dataset"


class Stage(StrEnum):
    """What a task is doing; the stepper of every interface, in order."""

    QUEUED = "queued"
    VALIDATING = "validating"
    PREPARING = "preparing"
    TRAINING = "training"
    EVALUATING = "evaluating"
    PROVING = "proving"
    DONE = "done"


_NEXT: dict[TaskState, frozenset[TaskState]] = {
    TaskState.PENDING: frozenset({TaskState.STARTED, TaskState.REVOKED, TaskState.FAILURE}),
    TaskState.STARTED: frozenset({TaskState.SUCCESS, TaskState.FAILURE, TaskState.REVOKED, TaskState.RETRY}),
    TaskState.RETRY: frozenset({TaskState.STARTED, TaskState.REVOKED, TaskState.FAILURE}),
    TaskState.FAILURE: frozenset({TaskState.RETRY}),
    TaskState.REVOKED: frozenset({TaskState.RETRY}),
    TaskState.SUCCESS: frozenset(),
}


def may_follow(current: TaskState, new: TaskState) -> bool:
    """Whether `current -> new` is a transition; a resumed run goes through RETRY, a SUCCESS is never left."""
    return new in _NEXT[current]

"""The only state machine: background work and its attempts, in Celery's words."""

from dataclasses import dataclass
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


MAX_FAILURES = 5
"""Attempts that the infrastructure may spoil before a task is given up."""
LONGEST_DELAY_SECONDS = 600.0


@dataclass(frozen=True)
class Verdict:
    """What becomes of a task after an attempt; `delay_seconds` before the next one, `failures` spoilt ones so far."""

    state: TaskState
    failures: int
    delay_seconds: float = 0.0


def after_attempt(
    ended: TaskState,
    *,
    retryable: bool,
    failures: int,
    cancelled: bool = False,
    worker_stops: bool = False,
    first_delay_seconds: float = 10.0,
) -> Verdict:
    """Judge how an attempt of queued work `ended` (a final state); `failures` counts earlier spoilt attempts.

    A worker that shuts down hands its work on at once. What the infrastructure spoilt (`retryable`, or a stop that
    nobody asked for) is tried again with growing delays, at most MAX_FAILURES times. The rest stands as it is.
    """
    spoilt = ended is TaskState.REVOKED or (ended is TaskState.FAILURE and retryable)
    if not spoilt:
        return Verdict(ended, failures)
    if cancelled:
        return Verdict(TaskState.REVOKED, failures)
    if worker_stops:
        return Verdict(TaskState.RETRY, failures)
    if failures + 1 >= MAX_FAILURES:
        return Verdict(TaskState.FAILURE, failures + 1)
    delay = min(LONGEST_DELAY_SECONDS, first_delay_seconds * 4.0**failures)
    return Verdict(TaskState.RETRY, failures + 1, delay)

"""What the inside needs from the outside; implemented at the edges, faked in tests."""

from typing import Protocol

from app.domain.events import Event
from app.domain.task import TaskKind


class RunContext(Protocol):
    """The three verbs the engine knows of the outside world."""

    def report(self, event: Event) -> None:
        """Record one event durably enough that a reader sees it in order."""

    def may_save(self) -> bool:
        """False once a newer attempt owns the run: nothing may be written any more."""

    def should_stop(self) -> bool:
        """True when the run was asked to save and stop."""


class TaskQueue(Protocol):
    """A way to wake a worker; the task row is the truth, so a message may be lost or repeated."""

    def send(self, task_id: str, kind: TaskKind) -> None:
        """Ask for a worker's attention; ServiceUnavailable where the queue cannot be reached, within seconds."""

    def check(self) -> None:
        """Raise ServiceUnavailable where the queue does not answer."""

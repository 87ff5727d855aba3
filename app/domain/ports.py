"""What the inside needs from the outside; implemented at the edges, faked in tests."""

from typing import Protocol

from app.domain.events import Event


class RunContext(Protocol):
    """The three verbs the engine knows of the outside world."""

    def report(self, event: Event) -> None:
        """Record one event durably enough that a reader sees it in order."""

    def may_save(self) -> bool:
        """False once a newer attempt owns the run: nothing may be written any more."""

    def should_stop(self) -> bool:
        """True when the run was asked to save and stop."""

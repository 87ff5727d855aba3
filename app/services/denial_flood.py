"""Keeps a flood of denials from filling the disk: the first ones are recorded one by one, the rest are counted.

Whoever is refused costs nothing to be refused again, so each window of a caller ends in one event that says how often
it happened.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.principal import Caller

WINDOW_SECONDS = 60.0
ONE_BY_ONE_PER_CALLER = 10
ONE_BY_ONE_IN_ALL = 120
"""Of one process in a window, whoever calls: many addresses together are a flood too."""
MAX_CALLERS = 100
MAX_NAMED = 10
MANY = "many:*"
"""The resource of an event that stands for denials of different ones."""


@dataclass(frozen=True)
class Denial:
    """One event to record."""

    caller: Caller
    action: str
    resource: str
    details: Mapping[str, Any]


@dataclass
class _Window:
    """Denials of one caller and action since `began`; `counted` of them were not recorded one by one."""

    caller: Caller
    action: str
    began: float
    recorded: int = 0
    counted: int = 0
    resources: set[str] = field(default_factory=set)

    def count(self, resource: str) -> None:
        self.counted += 1
        if len(self.resources) <= MAX_NAMED:
            self.resources.add(resource)

    def summary(self) -> Denial:
        named = sorted(self.resources)[:MAX_NAMED]
        resource = named[0] if len(self.resources) == 1 else MANY
        return Denial(self.caller, self.action, resource, {"repeated": self.counted, "resources": named})


class DenialFlood:
    """Decides what is recorded now; safe to use from many threads. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str | None, str], _Window] = {}
        self._began, self._recorded = clock(), 0

    def admit(self, denial: Denial) -> list[Denial]:
        """What to record now: how often others were repeated, then this one unless it is counted into its window."""
        with self._lock:
            now = self._clock()
            ended = self._ended(now)
            if now - self._began >= WINDOW_SECONDS:
                self._began, self._recorded = now, 0
            window = self._window_of(denial, now)
            if window.recorded < ONE_BY_ONE_PER_CALLER and self._recorded < ONE_BY_ONE_IN_ALL:
                window.recorded += 1
                self._recorded += 1
                return [*ended, denial]
            window.count(denial.resource)
            return ended

    def ended(self, *, now_all: bool = False) -> list[Denial]:
        """What windows counted that are over; of all windows where no more is to come."""
        with self._lock:
            return self._ended(float("inf") if now_all else self._clock())

    @property
    def is_counting(self) -> bool:
        """Whether something was counted that is not recorded yet."""
        with self._lock:
            return any(window.counted for window in self._windows.values())

    def _ended(self, now: float) -> list[Denial]:
        over = [key for key, window in self._windows.items() if now - window.began >= WINDOW_SECONDS]
        windows = [self._windows.pop(key) for key in over]
        return [window.summary() for window in windows if window.counted]

    def _window_of(self, denial: Denial, now: float) -> _Window:
        """The window of the caller; beyond MAX_CALLERS all the others share one, which names nobody."""
        key = (denial.caller.actor, denial.caller.ip, denial.action)
        caller = denial.caller
        if key not in self._windows and len(self._windows) >= MAX_CALLERS:
            key, caller = ("", None, denial.action), Caller()
        return self._windows.setdefault(key, _Window(caller, denial.action, now))

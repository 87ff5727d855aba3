"""One attempt's turn in a directory: it heeds SIGTERM, and it ends when a newer attempt has taken over.

The engine, and the children that do other work, report and save through this.
"""

import os
import signal
import threading
import time
from contextlib import suppress
from types import FrameType, TracebackType

from app.domain.errors import StorageError
from app.domain.events import Event
from app.domain.manifest import Attempt
from app.runs.directory import RunDirectory
from app.runs.event_log import append_event
from app.runs.lock import read_attempt

LOOK_SECONDS = 1.0
"""How often attempt.json is read."""
GRACE_SECONDS = 3.0
"""A stale attempt may spend this on ending in an orderly way; then it is ended, so that its successor can begin."""
EXIT_SUPERSEDED = 4


class Turn:
    """As a context manager it listens to signals and watches attempt.json; `owner` is whose turn this is.

    None is a process that nobody supervises: the first attempt, until somebody takes over.
    """

    def __init__(self, run: RunDirectory, owner: Attempt | None) -> None:
        self._run = run
        self._owner = owner
        self._parent = os.getppid()
        # A plain value: whatever takes a lock cannot be set by a handler that may interrupt itself.
        self._is_asked_to_stop = False
        self._done = threading.Event()
        self._writing = threading.Lock()
        self._watcher = threading.Thread(target=self._watch, name="turn", daemon=True)
        self._previous: dict[int, object] = {}

    @property
    def attempt(self) -> int:
        """Number of this attempt, counted from 1."""
        return self._owner.number if self._owner else 1

    def report(self, event: Event) -> None:
        """Append `event`, stamped with time and attempt."""
        stamped = event.model_copy(update={"time": time.time(), "attempt": self.attempt})
        with self._writing:
            append_event(self._run.events, stamped)

    def may_save(self) -> bool:
        """False once a newer attempt has taken over."""
        current = read_attempt(self._run)
        return current is None or current == self._owner

    def should_stop(self) -> bool:
        """True after SIGTERM or SIGINT, and once a newer attempt has taken over."""
        return self._is_asked_to_stop

    @property
    def parent_is_gone(self) -> bool:
        """Whether the process that started this one has died, so that the stop was nobody's wish."""
        return os.getppid() != self._parent

    def __enter__(self) -> "Turn":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._on_signal)
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._watcher.join()
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._is_asked_to_stop = True

    def _watch(self) -> None:
        while not self._done.wait(LOOK_SECONDS):
            with suppress(StorageError):  # looked at again in a second
                if not self.may_save():
                    self._is_asked_to_stop = True
                    if not self._done.wait(GRACE_SECONDS):
                        _end_at_once()


def _end_at_once() -> None:
    """End this process and, where it leads a group of its own, whatever it started; files it was writing are aside."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(EXIT_SUPERSEDED)

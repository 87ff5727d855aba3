"""The engine's three verbs over a run directory: report to events.jsonl, save while it is ours, stop on SIGTERM."""

import logging
import os
import signal
import threading
import time
from contextlib import suppress
from types import FrameType, TracebackType

import psutil

from app.domain.errors import StorageError
from app.domain.events import Event, SystemSampled
from app.monitor.logging_utils import describe_event
from app.monitor.system_metrics import SystemSampler
from app.runs.directory import RunDirectory
from app.runs.event_log import append_event
from app.runs.lock import read_attempt

logger = logging.getLogger(__name__)

SAMPLE_SECONDS = 2.0


class RunDirectoryContext:
    """RunContext of one attempt; as a context manager it listens to signals and samples the machine."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        owner = read_attempt(run)
        self._attempt = owner.number if owner else 1
        self._token = owner.token if owner else ""
        self._parent = os.getppid()
        self._stop = threading.Event()
        self._done = threading.Event()
        self._writing = threading.Lock()
        self._sampler = threading.Thread(target=self._sample, name="system-metrics", daemon=True)
        self._previous: dict[int, object] = {}
        self.readings: list[SystemSampled] = []

    @property
    def attempt(self) -> int:
        """Number of this attempt, counted from 1."""
        return self._attempt

    def report(self, event: Event) -> None:
        """Append `event`, stamped with time and attempt."""
        stamped = event.model_copy(update={"time": time.time(), "attempt": self._attempt})
        with self._writing:
            append_event(self._run.events, stamped)
        if line := describe_event(stamped):
            logger.info("%s", line)

    def may_save(self) -> bool:
        """False once a newer attempt has taken the run over."""
        owner = read_attempt(self._run)
        return owner is None or (owner.number, owner.token) == (self._attempt, self._token)

    def should_stop(self) -> bool:
        """True after SIGTERM or SIGINT."""
        return self._stop.is_set()

    @property
    def parent_is_gone(self) -> bool:
        """Whether the process that started this one has died, so that the stop was nobody's wish."""
        return os.getppid() != self._parent

    def __enter__(self) -> "RunDirectoryContext":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._on_signal)
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._sampler.join()
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _sample(self) -> None:
        sampler = SystemSampler(psutil.Process())
        while not self._done.wait(SAMPLE_SECONDS):
            reading = sampler.sample()
            self.readings.append(reading)
            with suppress(StorageError):  # the training itself will meet a full disk, and say so
                self.report(reading)

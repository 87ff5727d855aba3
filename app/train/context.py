"""The engine's three verbs over a run directory: report to events.jsonl, save while it is ours, stop on SIGTERM."""

import logging
import threading
from contextlib import suppress
from types import TracebackType

import psutil

from app.domain.errors import StorageError
from app.domain.events import Event, SystemSampled
from app.domain.manifest import Attempt
from app.monitor.logging_utils import describe_event
from app.monitor.system_metrics import SystemSampler
from app.runs.directory import RunDirectory
from app.runs.turn import Turn

logger = logging.getLogger(__name__)

SAMPLE_SECONDS = 2.0


class RunDirectoryContext(Turn):
    """RunContext of one attempt; as a context manager it also samples the machine."""

    def __init__(self, run: RunDirectory, owner: Attempt | None) -> None:
        super().__init__(run, owner)
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="system-metrics", daemon=True)
        self.readings: list[SystemSampled] = []

    def report(self, event: Event) -> None:
        """Append `event`, stamped with time and attempt, and log it."""
        super().report(event)
        if line := describe_event(event):
            logger.info("%s", line)

    def __enter__(self) -> "RunDirectoryContext":
        super().__enter__()
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._sampler.join()
        super().__exit__(kind, error, trace)

    def _sample(self) -> None:
        sampler = SystemSampler(psutil.Process())
        while not self._ended.wait(SAMPLE_SECONDS):
            reading = sampler.sample()
            self.readings.append(reading)
            with suppress(StorageError):  # the training itself will meet a full disk, and say so
                self.report(reading)

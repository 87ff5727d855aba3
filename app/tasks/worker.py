"""One worker of the queue: a Celery worker whose threads each look after a child process that does the work.

Beside them one thread shows that the process is well, and two do the duties of the whole installation when they are
due: one gives on lost work and sends messages again, one cleans up, which may take long.
"""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from celery import signals
from celery.exceptions import CPendingDeprecationWarning

from app.domain.errors import PlatformError
from app.domain.task import TaskKind
from app.monitor.logging_utils import configure_logging
from app.services import cleanup, dispatch, sweeper
from app.services.capacity import Capacity, machine_capacity
from app.services.execution import execute_next
from app.services.platform import Platform, open_platform
from app.services.presence import Presence
from app.services.supervisor import StopRequest
from app.settings import Settings, get_settings
from app.tasks import inference, training
from app.tasks.celery_app import make_celery, queue_name
from app.tasks.heartbeat import BEAT_SECONDS, Heartbeat
from app.tasks.queue import CeleryQueue

logger = logging.getLogger(__name__)
SECONDS_TO_END = 5.0


class Worker:
    """What the threads of one worker process share."""

    def __init__(self, platform: Platform, capacity: Capacity, heartbeat: Heartbeat) -> None:
        self.platform, self.capacity, self._heartbeat = platform, capacity, heartbeat
        self._presence = Presence(platform, capacity.kinds, capacity.devices or ["cpu"])
        self.stop = StopRequest()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._beat, name="heartbeat", daemon=True),
            threading.Thread(target=self._sweep, name="sweep", daemon=True),
            threading.Thread(target=self._clean_up, name="clean-up", daemon=True),
        ]

    def work(self) -> None:
        """Do what there is to do until there is nothing there is room for; others are woken for what is left."""
        while not self.stop.times:
            try:
                done = execute_next(self.platform, self.stop, self.capacity)
            except PlatformError as error:
                logger.error("no task could be claimed: %s", error)
                return
            if done is None:
                return
            self._wake_others()

    def begin(self) -> None:
        """Show that the process is well and do duties, whether the broker is there or not."""
        for thread in self._threads:
            thread.start()

    def ready(self, **_: Any) -> None:
        """The worker takes messages now; tasks may have waited for it."""
        self._heartbeat.takes_work = True
        self._wake_others()

    def end(self, **_: Any) -> None:
        """Somebody asked the worker to end: running work is saved and left to others; asked again, it is cut short."""
        self.stop.ask()

    def close(self) -> None:
        """No thread of ours goes on."""
        self._ended.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(SECONDS_TO_END)
        self._heartbeat.end()

    def _wake_others(self) -> None:
        self._guarded(lambda: dispatch.wake_waiting(self.platform, self.capacity.kinds, self.capacity.num_slots))

    def _beat(self) -> None:
        while True:
            self._guarded(self._heartbeat.beat)
            if self._ended.wait(BEAT_SECONDS):
                return

    def _sweep(self) -> None:
        self._guarded(self._presence.tell)
        while not self._ended.wait(sweeper.sweep_seconds(self.platform)):
            self._guarded(lambda: sweeper.sweep(self.platform))
            self._guarded(self._presence.tell)

    def _clean_up(self) -> None:
        while not self._ended.wait(sweeper.sweep_seconds(self.platform)):
            self._guarded(lambda: cleanup.clean_up(self.platform))

    def _guarded(self, duty: Callable[[], object]) -> None:
        """What fails now is due again in a moment."""
        try:
            duty()
        except PlatformError as error:
            logger.warning("%s", error)
        except Exception:
            logger.exception("a duty of the worker failed")


def run_worker(settings: Settings, name: str = "worker", kinds: Sequence[TaskKind] = tuple(TaskKind)) -> None:
    """Work until SIGTERM or SIGINT; then save what runs, leave it to others, and return."""
    configure_logging(sys.stdout)
    work_for(open_platform(settings, CeleryQueue(settings)), name, kinds)


def work_for(platform: Platform, name: str, kinds: Sequence[TaskKind] = tuple(TaskKind)) -> None:
    """As `run_worker`, for an installation that is open already; signals and logging are this process's own."""
    settings = platform.settings
    capacity = machine_capacity(settings, kinds)
    worker = Worker(platform, capacity, Heartbeat(settings, name))
    celery = make_celery(settings)
    training.register(celery, worker.work)
    inference.register(celery, worker.work)
    signals.setup_logging.connect(_leave_logging, weak=False)
    signals.worker_ready.connect(worker.ready, weak=False)
    signals.worker_shutting_down.connect(worker.end, weak=False)
    logger.info("worker %s (process %d) has %d slots for %s", name, os.getpid(), capacity.num_slots, ", ".join(kinds))
    # It is about messages that are acknowledged late, of which there are none here.
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
    worker.begin()
    try:
        celery.worker_main(
            [
                "--quiet",
                "worker",
                "--pool=threads",
                f"--concurrency={capacity.num_slots}",
                f"--queues={','.join(queue_name(kind) for kind in kinds)}",
                f"--hostname={name}@%h",
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ]
        )
    finally:
        worker.close()
        logger.info("worker %s has ended", name)


def _leave_logging(**_: Any) -> None:
    """A receiver of this signal keeps Celery from setting up logging of its own."""


def is_ready(settings: Settings, name: str) -> bool:
    """Whether the worker of that name takes work."""
    return Heartbeat(settings, name).is_ready()


if __name__ == "__main__":
    run_worker(get_settings(), sys.argv[1] if sys.argv[1:] else "worker")

"""What keeps the queue going whatever dies: lost work is given to another worker, lost messages are sent again.

Several workers may call this; of all of them one does it at a time, under a lease in the database.
"""

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from app.db.repositories import leases, task_queue, tasks
from app.db.tables import TaskRow
from app.db.tables.base import utc_now
from app.domain.errors import PlatformError
from app.domain.task import TaskKind
from app.runs.directory import RunDirectory
from app.runs.event_log import read_events
from app.services import dispatch
from app.services.execution import directory_of
from app.services.lost_runs import has_died, is_in_use
from app.services.platform import Platform
from app.services.queued_recording import QueuedRecorder
from app.services.recording import complete_ending, ending
from app.services.recording import lost as lost_run

logger = logging.getLogger(__name__)

HOLDER = str(uuid.uuid4())
"""This process, as the holder of leases."""
RESEND = timedelta(seconds=15)
LONGEST_RESEND = timedelta(minutes=5)
MESSAGES_A_SWEEP = 20
LOOKED_AT = 500


def sweep_seconds(platform: Platform) -> float:
    """How often to sweep: often enough that a lost lease is noticed soon after it has run out."""
    return min(10.0, platform.settings.lease_seconds / 4)


class LeaseWatch:
    """Notices leases that nobody renews, by the seconds that pass here: clocks of machines differ, and are moved."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[object, float]] = {}

    def unrenewed(self, started: Sequence[TaskRow], lease_seconds: float) -> set[str]:
        """Of the running tasks those whose lease has been the same for as long as a lease lasts."""
        now, before = self._clock(), self._seen
        self._seen = {}
        for task in started:
            lease = (task.token, task.lease_expires_at)
            known = before.get(task.id)
            self._seen[task.id] = known if known is not None and known[0] == lease else (lease, now)
        return {task_id for task_id, (_, since) in self._seen.items() if now - since >= lease_seconds}


_WATCH = LeaseWatch()


def sweep(platform: Platform, watch: LeaseWatch = _WATCH) -> bool:
    """Do what is due, unless another process does it or has just done it; whether it was done here.

    Call it again and again: a lease that runs out is only noticed by who has looked before.
    """
    lost = find_lost(platform, watch)
    every = timedelta(seconds=0.9 * sweep_seconds(platform))
    database = platform.installation.database
    with database.write() as session:
        if not leases.take(session, "sweep", HOLDER, timedelta(minutes=1), every=every):
            return False
    recover(platform, lost)
    resend(platform)
    with database.write() as session:
        leases.done(session, "sweep", HOLDER)
    return True


Lost = list[tuple[TaskRow, RunDirectory]]


def find_lost(platform: Platform, watch: LeaseWatch) -> Lost:
    """Running tasks whose worker is not heard of any more, with their directories."""
    with platform.installation.database.read() as session:
        started = tasks.started_tasks(session, queued=True)
    unrenewed = watch.unrenewed([task for task, _ in started], platform.settings.lease_seconds)
    found = [(task, directory_of(platform.installation.results_dir, task, run_dir)) for task, run_dir in started]
    # A worker that has died on this machine is known to be dead at once; its child may still be saving.
    return [(task, run) for task, run in found if task.id in unrenewed or (has_died(task) and not is_in_use(run))]


def recover(platform: Platform, lost: Lost) -> list[str]:
    """Take running tasks from workers that are not heard of any more; the ids of those that were taken."""
    taken = []
    for task, run in lost:
        try:
            if _recover(platform, task, run):
                taken.append(task.id)
        except PlatformError as error:
            logger.warning("task %s cannot be taken from its worker now: %s", task.id, error.message)
    return taken


def _recover(platform: Platform, task: TaskRow, run: RunDirectory) -> bool:
    recorder = QueuedRecorder(platform, task, run)
    if not recorder.take_over(task.lease_expires_at):
        return False  # it was heard of meanwhile, or somebody was faster
    recorder.take_new()
    where = f"worker {task.pid} on {task.hostname}"
    fallback = lost_run(f"{where} was not heard of any more")
    state = recorder.finish(ending(read_events(run.events), task.attempt) or complete_ending(run) or fallback)
    if state is not None:
        logger.warning("task %s: %s was not heard of any more; it is %s now", task.id, where, state)
    return state is not None


def resend(platform: Platform, kinds: tuple[TaskKind, ...] = tuple(TaskKind)) -> int:
    """Send messages for waiting tasks of which none was sent for long; how many.

    The longer a task waits, the rarer: it may be its owner's limit or a lack of room that it waits for.
    """
    now = utc_now()
    with platform.installation.database.read() as session:
        waiting = task_queue.undelivered(
            session, kinds, platform.settings.max_running, sent_before=now - RESEND, limit=LOOKED_AT
        )
    return dispatch.wake_all(platform, [task for task in waiting if _is_due(task, now)][:MESSAGES_A_SWEEP])


def _is_due(task: TaskRow, now: datetime) -> bool:
    if task.enqueued_at is None or task.enqueued_at > now:
        return True
    waited = task.enqueued_at - task.created_at
    return now - task.enqueued_at >= min(LONGEST_RESEND, max(RESEND, waited))

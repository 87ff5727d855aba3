"""What keeps the queue going whatever dies: lost work is given to another worker, lost messages are sent again.

Several workers may call this; of all of them one does it at a time, under a lease in the database.
"""

import logging
import uuid
from datetime import datetime, timedelta

from app.db.repositories import leases, task_queue, tasks
from app.db.tables import TaskRow
from app.db.tables.base import utc_now
from app.domain.errors import Conflict, PlatformError
from app.domain.task import TaskKind
from app.runs.event_log import read_events
from app.services import dispatch
from app.services.execution import directory_of
from app.services.lost_runs import has_died, is_in_use
from app.services.platform import Platform
from app.services.queued_recording import QueuedRecorder
from app.services.recording import complete_ending, ending, lost

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


def sweep(platform: Platform) -> bool:
    """Do what is due, unless another process does it or has just done it; whether it was done here."""
    every = timedelta(seconds=0.9 * sweep_seconds(platform))
    database = platform.installation.database
    with database.write() as session:
        if not leases.take(session, "sweep", HOLDER, timedelta(minutes=1), every=every):
            return False
    recover_lost(platform)
    resend(platform)
    with database.write() as session:
        leases.done(session, "sweep", HOLDER)
    return True


def recover_lost(platform: Platform) -> list[str]:
    """Take running tasks from workers that are not heard of any more; the tasks that were taken."""
    with platform.installation.database.read() as session:
        started = tasks.started_tasks(session, queued=True)
    taken = []
    for task, run_dir in started:
        try:
            if _recover(platform, task, run_dir):
                taken.append(task.id)
        except PlatformError as error:
            logger.warning("task %s cannot be taken from its worker now: %s", task.id, error.message)
    return taken


def _recover(platform: Platform, task: TaskRow, run_dir: str | None) -> bool:
    run = directory_of(platform.installation.results_dir, task, run_dir)
    expired = tasks.lease_expired(task, utc_now())
    # A worker that has died on this machine is known to be dead at once; its child may still be saving.
    if not expired and not (has_died(task) and not is_in_use(run)):
        return False
    recorder = QueuedRecorder(platform, task, run)
    try:
        recorder.take_new()
    except Conflict:
        return False  # somebody was faster
    where = f"worker {task.pid} on {task.hostname}"
    fallback = lost(f"{where} was not heard of any more")
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

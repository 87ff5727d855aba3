"""Wake workers: send messages for tasks that wait; the rows are the truth, so one that gets lost is sent again."""

import logging
from collections.abc import Sequence

from app.db.repositories import task_queue
from app.db.tables import TaskRow
from app.domain.errors import PlatformError, ServiceUnavailable
from app.domain.task import TaskKind
from app.services.platform import Platform

logger = logging.getLogger(__name__)


def wake(platform: Platform, task_id: str, kind: TaskKind) -> bool:
    """Send a message for one task; False where the queue cannot be reached: the sweeper will send it."""
    return _send(platform, [(task_id, kind)]) == 1


def wake_waiting(platform: Platform, kinds: Sequence[TaskKind] = tuple(TaskKind), limit: int = 2) -> int:
    """Send messages for the next tasks a worker with room could claim; how many were sent."""
    with platform.installation.database.read() as session:
        waiting = task_queue.waiting(session, kinds, platform.settings.max_running, limit)
    return wake_all(platform, waiting)


def wake_all(platform: Platform, waiting: Sequence[TaskRow]) -> int:
    """Send a message for each of these; how many were sent before the queue could not be reached."""
    return _send(platform, [(task.id, TaskKind(task.kind)) for task in waiting])


def _send(platform: Platform, wanted: Sequence[tuple[str, TaskKind]]) -> int:
    sent: list[str] = []
    try:
        for task_id, kind in wanted:
            platform.queue.send(task_id, kind)
            sent.append(task_id)
    except ServiceUnavailable as error:
        logger.warning("no worker was woken for %d tasks: %s", len(wanted) - len(sent), error.message)
    if sent:
        try:
            with platform.installation.database.write(alone=False) as session:
                task_queue.mark_enqueued(session, sent)
        except PlatformError as error:
            logger.warning("%d messages were sent and not noted, so they may be sent again: %s", len(sent), error)
    return len(sent)

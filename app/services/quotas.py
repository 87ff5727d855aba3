"""How many tasks an account may have waiting; how many may run is asked when one is claimed."""

from app.db.repositories import task_queue
from app.db.session import Session
from app.domain.errors import QuotaExceeded
from app.domain.wording import say
from app.settings import Settings

RETRY_AFTER_SECONDS = 60.0
"""Where no running task says when it ends."""


def check_queue(session: Session, settings: Settings, username: str) -> None:
    """QuotaExceeded where the account has as many waiting tasks as it may have, with when the next one may start."""
    own = task_queue.limits_of(session, username)
    limit = settings.max_queued if own is None or own[1] is None else own[1]
    waiting = task_queue.count_waiting(session, username)
    if waiting < limit:
        return
    seconds = task_queue.next_end_seconds(session, username)
    raise QuotaExceeded(
        say(
            "{username} has {waiting} tasks waiting, and may have {limit}",
            username=username,
            waiting=waiting,
            limit=limit,
        ),
        retry_after_seconds=RETRY_AFTER_SECONDS if seconds is None else seconds,
        hint="wait until one of them has started, or cancel some",
    )

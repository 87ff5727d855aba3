"""Whether an installation can work now, and in numbers how much it has."""

import logging
import threading
import time
from collections.abc import Callable

from app.db.migrations import HEAD
from app.db.repositories import counts
from app.db.session import current_revision
from app.db.tables.base import utc_now
from app.domain.errors import PlatformError, ServiceUnavailable
from app.domain.wording import one_after_another, say, words
from app.monitor.exporter import InstallationNumbers
from app.schemas.health import Readiness
from app.services.platform import Platform

logger = logging.getLogger(__name__)

KEPT_SECONDS = 1.0
"""How long an answer is good: anybody may ask, as often as they like."""


class ReadinessProbe:
    """Asks database and queue, of many questions at once only one time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[tuple[str, str]] = []
        self._asked_at = -KEPT_SECONDS

    def check(self, platform: Platform) -> Readiness:
        """ServiceUnavailable with a place for each part that does not work."""
        with self._lock:
            if time.monotonic() - self._asked_at >= KEPT_SECONDS:
                self._faults = [(f"/{part}", fault) for part, ask in CHECKS.items() if (fault := _fault(ask, platform))]
                self._asked_at = time.monotonic()
            faults = list(self._faults)
        if faults:
            error = ServiceUnavailable(one_after_another([what for _, what in faults]), code="service.not_ready")
            error.places = faults
            raise error
        return Readiness(checks=dict.fromkeys(CHECKS, "ok"))


def _fault(ask: Callable[[Platform], str], platform: Platform) -> str:
    try:
        return ask(platform)
    except PlatformError as error:
        # Addresses and paths are the operator's business: the log has them.
        logger.warning("not ready: %s", error.message)
        return say(_NOT_WORKING[ask], code=error.code)


def _database(platform: Platform) -> str:
    with platform.installation.database.read() as session:
        counts.audit_events(session)
    return ""


def _migrations(platform: Platform) -> str:
    with platform.installation.database.read() as session:
        is_current = current_revision(session.connection()) == HEAD
    return "" if is_current else words("the database has another schema than this version of the program")


def _queue(platform: Platform) -> str:
    platform.queue.check()
    return ""


_NOT_WORKING: dict[Callable[[Platform], str], str] = {
    _database: words("database does not work ({code})"),
    _migrations: words("migrations does not work ({code})"),
    _queue: words("queue does not work ({code})"),
}
CHECKS: dict[str, Callable[[Platform], str]] = {"database": _database, "migrations": _migrations, "queue": _queue}


def numbers(platform: Platform) -> InstallationNumbers:
    """How much there is, read in one transaction."""
    with platform.installation.database.read() as session:
        oldest = counts.oldest_waiting(session)
        datasets, dataset_bytes = counts.datasets(session)
        return InstallationNumbers(
            tasks=counts.tasks_by_state(session),
            active_tasks=counts.active_tasks(session),
            oldest_waiting_seconds=max(0.0, (utc_now() - oldest).total_seconds()) if oldest else 0.0,
            experiments=counts.experiments(session),
            accounts=counts.accounts_by_role(session),
            datasets=datasets,
            dataset_bytes=dataset_bytes,
            audit_events=counts.audit_events(session),
        )

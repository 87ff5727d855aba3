"""That a worker is alive and what it offers, told to the installation again and again: `admission` asks for it."""

import time
import uuid
from collections.abc import Callable, Sequence

from app.db.repositories import workers
from app.domain.task import TaskKind
from app.services.platform import Platform

EVERY_SECONDS = workers.ALIVE.total_seconds() / 10


class Presence:
    """One worker process, with the kinds of work it does and the devices it does them on."""

    def __init__(
        self,
        platform: Platform,
        kinds: Sequence[TaskKind],
        devices: Sequence[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._platform, self._kinds, self._devices, self._clock = platform, kinds, devices, clock
        self._id = str(uuid.uuid4())
        self._told: float | None = None

    def tell(self) -> None:
        """Say so where it is due; at the end nothing is said, for a worker that is started again is not missed."""
        now = self._clock()
        if self._told is not None and now - self._told < EVERY_SECONDS:
            return
        with self._platform.installation.database.write(alone=False) as session:
            workers.heard(session, self._id, self._kinds, self._devices)
        self._told = now

"""TaskQueue over Celery: send a wake-up and forget it; the task row is the truth."""

from dataclasses import dataclass

from celery import Celery
from kombu.exceptions import KombuError
from redis import Redis
from redis.exceptions import RedisError

from app.domain.errors import ServiceUnavailable
from app.domain.task import TaskKind
from app.domain.wording import say
from app.settings import Settings
from app.tasks.broker import broker_url, connect
from app.tasks.celery_app import BROKER_TIMEOUT_SECONDS, queue_name, sending_celery, wake_name

_ATTEMPTS = 2
"""A pooled connection that a restarted broker has closed fails once; the next one is new."""


@dataclass(frozen=True)
class _Connected:
    """What speaks to the broker at one address."""

    url: str
    celery: Celery
    probe: Redis


class CeleryQueue:
    """Sends wake-ups; safe in several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connected: _Connected | None = None

    def send(self, task_id: str, kind: TaskKind) -> None:
        """Ask for a worker's attention; ServiceUnavailable where the broker does not answer within seconds."""
        # Celery would try to connect for two seconds where a refused connection says all there is to know.
        self.check()
        for left in reversed(range(_ATTEMPTS)):
            try:
                self._connection().celery.send_task(
                    wake_name(kind), args=[task_id], queue=queue_name(kind), retry=False
                )
            except (KombuError, RedisError, OSError) as error:
                if not left:
                    raise _unavailable(error) from error
            else:
                return

    def check(self) -> None:
        """Raise ServiceUnavailable where the broker does not answer."""
        try:
            self._connection().probe.ping()
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error

    def _connection(self) -> _Connected:
        """Made at first use, and again where the private server has moved to another socket."""
        url, known = broker_url(self._settings), self._connected
        if known is None or known.url != url:
            known = _Connected(url, sending_celery(self._settings), connect(url, BROKER_TIMEOUT_SECONDS))
            self._connected = known
        return known


def _unavailable(error: Exception) -> ServiceUnavailable:
    return ServiceUnavailable(
        say("the queue's server does not answer: {error}", error=error),
        hint="start it (`make start`), or check REDIS_URL",
        code="broker.unavailable",
    )

"""The Celery application: queues by kind of work, JSON only, no results kept, a broker that may be away.

What its tasks do is in `training` and `inference`; `worker` runs it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery
from kombu.entity import Queue

from app.domain.task import TaskKind
from app.settings import Settings
from app.tasks.broker import broker_url

Work = Callable[[], None]
"""Does what there is to do until there is nothing there is room for."""
BROKER_TIMEOUT_SECONDS = 2.0


def queue_name(kind: TaskKind) -> str:
    """The queue that wakes workers for a kind of work; a worker listens to those of the kinds it does."""
    return f"finetune.{kind}"


def wake_name(kind: TaskKind) -> str:
    """The Celery task that wakes a worker; its argument, the id of a row in `tasks`, is for logs alone."""
    return f"finetune.wake.{kind}"


def make_celery(settings: Settings, **options: Any) -> Celery:
    """A Celery application on this installation's broker; nothing is connected yet."""
    celery = Celery("finetune", broker=broker_url(settings), backend="disabled://", set_as_current=False)
    celery.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        # The claim in the database is what makes work safe: a message that is lost here is sent again by the sweeper.
        task_acks_late=False,
        task_queues=[Queue(queue_name(kind)) for kind in TaskKind],
        task_default_queue=queue_name(TaskKind.TRAIN),
        task_create_missing_queues=False,
        broker_connection_timeout=BROKER_TIMEOUT_SECONDS,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_prefetch_multiplier=1,
        # A message a busy worker holds back is one an idle worker does not get.
        worker_disable_prefetch=True,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
    )
    celery.conf.update(options)
    return celery


def sending_celery(settings: Settings) -> Celery:
    """An application that only sends: it gives up within seconds where the broker does not answer."""
    limits = {
        "socket_connect_timeout": BROKER_TIMEOUT_SECONDS,
        "socket_timeout": BROKER_TIMEOUT_SECONDS,
        "retry_on_timeout": False,
    }
    return make_celery(settings, broker_transport_options=limits, task_publish_retry=False)


def register_wake(celery: Celery, kinds: Sequence[TaskKind], work: Work) -> None:
    """Let the messages that `queue` sends for these kinds call `work`."""

    def wake(_task_id: str) -> None:
        work()

    for kind in kinds:
        celery.task(wake, name=wake_name(kind), ignore_result=True)

"""What is done to a site: each function is one kind, and returns once the fault is over or its end is on its way.

`why_not` says why a kind cannot be done here.
"""

import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import redis

from app.db.repositories import tasks
from app.domain.errors import ServiceUnavailable
from app.domain.task import TaskKind
from app.tasks.broker import connect
from app.tasks.celery_app import queue_name
from tests.chaos import clock
from tests.chaos.database import HOLDERS, can_write
from tests.chaos.disk import full
from tests.chaos.scene import Scene
from tests.chaos.site import API, QUEUE, WORKERS

CLOCK_MOVES_SECONDS = (3600, 40, -40, -3600)
LONGEST_ABSENCE_SECONDS = 8.0
QUEUES = [queue_name(kind) for kind in TaskKind]
COPIES = 20


def kill_the_child(scene: Scene) -> None:
    child = scene.a_child()
    scene.site.pause(scene.random.uniform(0, 4))
    if child.is_running():
        child.kill()
    else:
        scene.a_child().kill()


def kill_a_worker(scene: Scene) -> None:
    scene.a_child()
    scene.site.kill(scene.random.choice(WORKERS), scene.down_seconds())
    scene.somebody_asks()


def kill_the_api(scene: Scene) -> None:
    scene.submit()
    scene.site.pause(scene.random.uniform(0, 0.3))
    scene.site.kill(API, scene.down_seconds())
    scene.somebody_asks()


def kill_the_queue(scene: Scene) -> None:
    scene.site.kill(QUEUE, scene.down_seconds())
    scene.somebody_asks()


def kill_the_queue_and_its_data(scene: Scene) -> None:
    scene.site.kill(QUEUE, scene.down_seconds())
    shutil.rmtree(scene.site.house.results_dir / "broker" / "data")
    scene.on_their_way.clear()
    scene.somebody_asks()


def stop_a_worker(scene: Scene) -> None:
    """Past its lease, until what it does is taken from it; in half of all cases its children stand still too."""
    house = scene.site.house
    scene.a_child()
    name = scene.random.choice(WORKERS)
    pid = scene.site.pid(name)
    stopped = [psutil.Process(pid)]
    if scene.random.random() < 0.5:
        stopped += scene.site.children(name)
    with _standing_still(scene, stopped):
        scene.somebody_asks()
        scene.site.pause(1.5 * house.platform.settings.lease_seconds)

        def has_none() -> bool:
            with house.platform.installation.database.read() as session:
                return all(task.pid != pid for task, _ in tasks.started_tasks(session, queued=True))

        scene.site.wait(has_none, f"the work of the stopped {name} to be taken from it")


def limit_files_of_the_child(scene: Scene) -> None:
    """No file of the child may grow: what a full disk is to it, with another number for an error."""
    child = scene.a_child()
    hard = resource.prlimit(child.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (0, hard))
    scene.site.pause(scene.random.uniform(1, 3))
    for process in _family(child):
        try:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        except ProcessLookupError:
            continue


def fill_the_disk(scene: Scene) -> None:
    """The file system of the results shrinks to what is on it; database, queue and runs are all there."""
    assert scene.disk is not None
    scene.a_child()
    # A server that confirms only what is on the disk ends where nothing can be put there, and is started again.
    scene.site.may_end(QUEUE, down_seconds=3.0)
    with full(scene.disk):
        scene.somebody_asks()
        scene.site.pause(scene.random.uniform(1, 4))
    scene.site.pause(1.0)
    if (queue := scene.site.programs[QUEUE]).process is not None:
        queue.was_killed = False  # it lives, or has been started again


def lock_the_database(scene: Scene) -> None:
    database = scene.site.house.platform.installation.database
    seconds = scene.random.uniform(2, 6)
    holder = HOLDERS[database.engine.url.get_backend_name()]
    address = database.engine.url.render_as_string(hide_password=False)
    with subprocess.Popen(
        [sys.executable, "-c", holder, address, str(seconds)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        scene.submit()
        scene.site.wait(lambda: other.poll() is not None, "the other program to let go")
        assert other.returncode == 0


def repeat_messages(scene: Scene) -> None:
    """Messages are delivered twenty times more, byte for byte as they were sent: the same Celery id, the same body."""
    repeated: set[str] = set()

    def has_repeated() -> bool:
        with suppress(redis.RedisError, OSError, ServiceUnavailable), connect(scene.site.broker.url) as client:
            waiting = [(queue, message) for queue in QUEUES for message in client.lrange(queue, 0, -1)]
            for queue, message in waiting:
                client.lpush(queue, *[message] * COPIES)
                repeated.add(json.loads(message)["headers"]["id"])
            if not waiting:  # the first ones are on their way already to workers that asked before they stood still
                job = scene.random.choice(scene.visitors.jobs)
                scene.site.house.platform.queue.send(job.task_id, TaskKind.TRAIN)
        return bool(repeated)

    with _standing_still(scene, _workers(scene)):
        scene.submit()
        scene.site.wait(has_repeated, "a message to repeat")
    scene.on_their_way |= repeated
    scene.repeated |= repeated


def drop_messages(scene: Scene) -> None:
    """Messages are taken out of the queue before a worker sees them: at least one, of as many jobs as that takes."""
    dropped = 0
    asked_at = 0.0

    def has_dropped() -> bool:
        nonlocal dropped, asked_at
        if not dropped and time.monotonic() - asked_at > 3:
            asked_at = time.monotonic()
            scene.submit()
        with suppress(redis.RedisError, OSError), connect(scene.site.broker.url) as client:
            until = time.monotonic() + 0.3
            while time.monotonic() < until:
                dropped += client.delete(*QUEUES)
        scene.on_their_way.clear()
        return bool(dropped)

    with _standing_still(scene, _workers(scene)):
        scene.site.wait(has_dropped, "a message to drop")


@contextmanager
def _standing_still(scene: Scene, processes: Sequence[psutil.Process]) -> Iterator[None]:
    """Stopped as long as the block runs, and not in the middle of a write: then nobody else could write either."""

    def have_stopped() -> bool:
        for process in processes:
            _signal(process, signal.SIGSTOP)
        if can_write(scene.site.house):
            return True
        for process in processes:
            _signal(process, signal.SIGCONT)
        return False

    try:
        scene.site.wait(have_stopped, "a moment to stop in")
        yield
    finally:
        for process in processes:
            _signal(process, signal.SIGCONT)


def _workers(scene: Scene) -> list[psutil.Process]:
    return [psutil.Process(scene.site.pid(name)) for name in WORKERS]


def move_the_clock(scene: Scene) -> None:
    """API, workers and what they start live an hour or less in the past or the future for a while, and come back."""
    scene.a_child()
    scene.site.clock.move(scene.random.choice(CLOCK_MOVES_SECONDS))
    try:
        scene.somebody_asks()
        scene.site.pause(scene.random.uniform(2, 6))
    finally:
        scene.site.clock.move(0)


def change_a_mind(scene: Scene) -> None:
    """Somebody cancels a training or a prediction that runs, and lets it go on later."""
    scene.visitors.change_mind(scene.a_running_job(), scene.random.uniform(0, LONGEST_ABSENCE_SECONDS))


def change_a_mind_for_good(scene: Scene) -> None:
    """Somebody has a file labelled and cancels that soon after, wherever it is by then."""
    asked = scene.visitors.predict()
    scene.site.wait(asked.done, "an answer")
    scene.site.pause(scene.random.uniform(0, 6))
    scene.visitors.change_mind(asked.result(), None)


KINDS: Mapping[str, Callable[[Scene], None]] = {
    "kill -9: the child": kill_the_child,
    "kill -9: a worker": kill_a_worker,
    "kill -9: the API": kill_the_api,
    "kill -9: the queue's server, its data kept": kill_the_queue,
    "kill -9: the queue's server, its data lost": kill_the_queue_and_its_data,
    "SIGSTOP: a worker, past its lease": stop_a_worker,
    "disk full: no file of the child may grow": limit_files_of_the_child,
    "disk full: a file system without space": fill_the_disk,
    "database locked by another process": lock_the_database,
    "messages repeated": repeat_messages,
    "messages dropped": drop_messages,
    "work cancelled, and let go on later": change_a_mind,
    "work cancelled for good": change_a_mind_for_good,
    "clock moved and moved back": move_the_clock,
}


def why_not(kind: str, disk: Path | None) -> str:
    """Why a kind cannot be injected here; empty where it can."""
    if KINDS[kind] is fill_the_disk and disk is None:
        return "a file system is mounted for it in the long form alone, by root"
    return clock.WHY_NOT if KINDS[kind] is move_the_clock else ""


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return []

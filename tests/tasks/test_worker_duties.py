"""What a worker process does beside the work itself."""

import threading
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from app.db.repositories import workers
from app.domain.task import TaskKind
from app.services import cleanup, sweeper
from app.services.capacity import LIGHT, TRAINING, Capacity
from app.services.presence import Presence
from app.tasks.heartbeat import Heartbeat
from app.tasks.worker import Worker
from tests.tasks.conftest import SECONDS, House, wait_for

MakeHouse = Callable[..., House]


@pytest.fixture
def begin(make_house: MakeHouse) -> Iterator[Callable[..., House]]:
    """`begin(kinds, devices)` lets a worker of this process do its duties, often."""
    begun: list[Worker] = []

    def go(kinds: tuple[TaskKind, ...] = TRAINING, devices: tuple[str, ...] = ("cpu",)) -> House:
        house = make_house(lease_seconds=1)
        capacity = Capacity({kinds: 1}, devices=devices)
        begun.append(Worker(house.platform, capacity, Heartbeat(house.platform.settings, "worker")))
        begun[-1].begin()
        return house

    yield go
    for worker in begun:
        worker.close()


def offered(house: House, kind: TaskKind) -> set[str] | None:
    with house.platform.installation.database.read() as session:
        return workers.offered(session, kind)


def test_a_worker_says_what_it_offers_before_it_takes_work(begin: Callable[..., House]) -> None:
    house = begin(LIGHT, ("cpu", "cuda"))
    assert wait_for(lambda: offered(house, TaskKind.PLAN)) == {"cpu", "cuda"}
    assert offered(house, TaskKind.TRAIN) is None


def test_a_worker_says_so_again_in_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    now = [0.0]
    monkeypatch.setattr(workers, "heard", lambda *_: told.append(now[0]))
    worker = Presence(house.platform, [TaskKind.TRAIN], ["cpu"], clock=lambda: now[0])
    while now[0] < 3 * workers.ALIVE.total_seconds():
        worker.tell()
        now[0] += 10
    gaps = {after - before for before, after in pairwise(told)}
    assert gaps
    assert 10 < max(gaps) < workers.ALIVE.total_seconds() / 4


def test_what_is_cleaned_up_at_length_keeps_lost_work_from_nobody(
    begin: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    cleaning, swept, may_end = threading.Event(), threading.Event(), threading.Event()

    def clean_at_length(_: object) -> dict[str, int]:
        cleaning.set()
        may_end.wait(SECONDS)
        return {}

    def sweep(_: object) -> bool:
        if cleaning.is_set():
            swept.set()
        return True

    monkeypatch.setattr(cleanup, "clean_up", clean_at_length)
    monkeypatch.setattr(sweeper, "sweep", sweep)
    begin()
    assert swept.wait(SECONDS)
    may_end.set()

"""Who is next: on SQLite and on PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from app.db.repositories import task_queue, tasks, users
from app.db.repositories.task_queue import Claimant
from app.db.session import Database, open_database
from app.db.tables import TaskRow, UserRow
from app.db.tables.base import utc_now
from app.domain.principal import Role
from app.domain.task import TaskKind, TaskState

LEASE = timedelta(seconds=60)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = open_database(database_url)
    yield database
    database.engine.dispose()


@pytest.fixture
def submit(database: Database) -> Callable[..., list[str]]:
    """`submit(owner, number=1, **columns)` queues trainings; their ids."""
    minutes = 0

    def go(owner: str, number: int = 1, **columns: object) -> list[str]:
        nonlocal minutes
        made = []
        with database.write() as session:
            for _ in range(number):
                minutes += 1
                when = {"created_at": utc_now() - timedelta(hours=10) + timedelta(minutes=minutes)}
                made.append(tasks.create(session, TaskKind.TRAIN, owner, **{**when, **columns}))
        return made

    return go


def claim(database: Database, **limits: object) -> str | None:
    given = {"token": "t", "pid": 1, "hostname": "here", "kinds": [TaskKind.TRAIN], "lease": LEASE, "max_running": 1000}
    with database.write() as session:
        task = task_queue.claim_next(session, Claimant(**{**given, **limits}))  # type: ignore[arg-type]
        return task.id if task else None


def finish(database: Database, task_id: str) -> None:
    with database.write() as session:
        assert tasks.finish(session, task_id, "t", TaskState.SUCCESS)


def test_the_first_task_of_one_goes_before_the_hundred_of_another(
    database: Database, submit: Callable[..., list[str]]
) -> None:
    hundred = submit("ada", 100)
    assert claim(database) == hundred[0]
    [first] = submit("bob")
    assert claim(database) == first
    assert claim(database) == hundred[1]


def test_with_one_slot_people_take_turns(database: Database, submit: Callable[..., list[str]]) -> None:
    ada, bob = submit("ada", 100), submit("bob", 2)
    order = []
    for _ in range(5):
        task_id = claim(database)
        assert task_id is not None
        order.append(task_id)
        finish(database, task_id)
    assert order == [ada[0], bob[0], ada[1], bob[1], ada[2]]


def test_a_higher_priority_goes_first_among_those_who_run_equally_much(
    database: Database, submit: Callable[..., list[str]]
) -> None:
    [low], [high] = submit("ada"), submit("ada", priority=5)
    [other] = submit("bob", priority=1)
    assert [claim(database) for _ in range(3)] == [high, other, low]


def test_an_account_runs_as_many_at_once_as_it_may(database: Database, submit: Callable[..., list[str]]) -> None:
    with database.write() as session:
        row = users.add(session, username="ada", password_hash="", role=Role.USER)
        assert row is not None
        row.max_running = 1
    ada, bob = submit("ada", 3), submit("bob", 3)
    assert [claim(database, max_running=2) for _ in range(4)] == [ada[0], bob[0], bob[1], None]
    finish(database, ada[0])
    assert claim(database, max_running=2) == ada[1]


def test_a_task_waits_for_its_time_and_a_local_run_for_nobody(
    database: Database, submit: Callable[..., list[str]]
) -> None:
    submit("ada", not_before=utc_now() + timedelta(minutes=5))
    with database.write() as session:
        session.add(TaskRow(id="local", kind="train"))
    assert claim(database) is None
    [due] = submit("ada", not_before=utc_now() - timedelta(seconds=1))
    assert claim(database) == due


def test_a_task_without_room_is_passed_over_until_it_has_waited_too_long(
    database: Database, submit: Callable[..., list[str]]
) -> None:
    [large] = submit("ada", memory_bytes=8_000, created_at=utc_now())
    [small] = submit("bob", memory_bytes=1_000, created_at=utc_now())
    assert claim(database, free_memory_bytes=4_000) == small
    finish(database, small)
    with database.write() as session:
        session.get_one(TaskRow, large).created_at = utc_now() - timedelta(hours=1)
    submit("bob", memory_bytes=1_000)
    with database.write() as session:
        session.query(TaskRow).filter_by(id=large).update({"priority": 9})
    assert claim(database, free_memory_bytes=4_000) is None
    assert claim(database) == large


def test_however_many_have_no_room_what_fits_of_another_account_is_taken(
    database: Database, submit: Callable[..., list[str]]
) -> None:
    submit("ada", 120, memory_bytes=8_000, created_at=utc_now())
    [small] = submit("bob", memory_bytes=1_000, created_at=utc_now())
    assert claim(database, free_memory_bytes=4_000) == small
    assert claim(database, free_memory_bytes=4_000) is None


def test_what_a_disabled_account_has_waiting_is_not_begun_until_it_may_sign_in_again(
    database: Database, submit: Callable[..., list[str]]
) -> None:
    with database.write() as session:
        assert users.add(session, username="ada", password_hash="", role=Role.USER)
        session.query(UserRow).filter_by(username="ada").update({"is_disabled": True})
    ada, bob = submit("ada"), submit("bob")
    assert [claim(database), claim(database)] == [*bob, None]
    with database.read() as session:
        assert task_queue.waiting(session, [TaskKind.TRAIN], 1000, 10) == [], "nobody is woken for it"
    with database.write() as session:
        session.query(UserRow).filter_by(username="ada").update({"is_disabled": False})
    assert [claim(database)] == ada


def test_a_task_waits_for_a_worker_that_has_the_device_it_needs(
    database: Database, submit: Callable[..., list[str]]
) -> None:
    [needs_gpu], [any_device] = submit("ada", device="cuda", priority=9), submit("ada")
    with database.read() as session:
        assert task_queue.waiting(session, [TaskKind.TRAIN], 1000, 1, devices=["cpu"])[0].id == any_device
    assert [claim(database, devices=["cpu"]), claim(database, devices=["cpu"])] == [any_device, None]
    assert claim(database, devices=["cpu", "cuda"]) == needs_gpu


def test_of_many_workers_that_claim_at_once_no_two_get_the_same_task(
    database: Database, submit: Callable[..., list[str]]
) -> None:
    waiting = submit("ada", 8) + submit("bob", 8)
    claimed: list[str | None] = []
    threads = [threading.Thread(target=lambda: claimed.append(claim(database, max_running=6))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got = [task_id for task_id in claimed if task_id]
    assert len(got) == len(set(got)) == 12
    assert set(got) <= set(waiting)

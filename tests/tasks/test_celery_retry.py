"""Attempts of a real Celery worker: what is tried again, how often, and what messages have to do with it.

The engine is the stand-in; broker, database and worker process are real. One worker serves all tests of this module.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from app.db.tables.base import utc_now
from app.domain.task import MAX_FAILURES, TaskKind
from app.services import submission
from app.tasks.broker import connect, running_broker
from app.tasks.celery_app import queue_name
from tests.tasks.conftest import House, build_house, wait_for, workers_in


@pytest.fixture(scope="module", params=["embedded", "servers"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An installation with a worker: on SQLite with a broker of its own, and on PostgreSQL with a Redis elsewhere."""
    folder, stored = tmp_path_factory.mktemp("served"), request.getfixturevalue("reviews_store")
    with ExitStack() as stack:
        if request.param == "servers":
            address = request.getfixturevalue("redis_server")
            cluster = request.getfixturevalue("postgresql")
            database_url = cluster.create_database()
            stack.callback(cluster.drop_database, database_url)
            house = build_house(folder, stored, lease_seconds=4, redis_url=address, database_url=database_url)
        else:
            house = build_house(folder, stored, lease_seconds=4)
            stack.enter_context(running_broker(house.platform.settings))
        stack.callback(house.close)
        stack.enter_context(workers_in(folder))(house)
        yield house


def test_a_submitted_task_is_done_once_however_often_its_message_comes(served: House) -> None:
    served.mode("succeed")
    task_id = served.submit()
    for _ in range(20):
        served.platform.queue.send(task_id, TaskKind.TRAIN)
    task = served.ended(task_id)
    assert (task.state, task.attempt, task.progress, task.stage) == ("SUCCESS", 1, 1.0, "done")
    other = served.ended(served.submit())
    assert (other.state, served.task(task_id).attempt) == ("SUCCESS", 1)
    assert served.run(task_id).log.read_text().count("attempt") == 1
    assert served.audit("task.finish")[:1] == [(f"task:{task_id}", "success")]


def test_a_message_that_got_lost_is_sent_again(served: House) -> None:
    served.mode("succeed")
    with served.platform.installation.database.write() as session:
        # As if a message had been sent, and the broker had forgotten it.
        from app.db.repositories import experiments, tasks

        _, task_id = experiments.create(
            session, name="forgotten", experiment_name="reviews", owner="ada", config=served.config,
            base_model="minilm", seed=1, run_dir="forgotten",
        )  # fmt: skip
        tasks.put_in_queue(session, task_id, enqueued_at=utc_now() - timedelta(minutes=1))
    assert served.ended(task_id).state == "SUCCESS"


def test_what_the_infrastructure_spoilt_is_tried_again(served: House) -> None:
    served.mode("full_disk")
    task_id = served.submit()
    wait_for(lambda: served.task(task_id).failures)
    served.mode("succeed")
    task = served.ended(task_id)
    assert (task.state, task.error_code, task.retryable) == ("SUCCESS", None, False)
    assert task.attempt >= 2


def test_a_child_that_was_killed_is_started_again(served: House) -> None:
    served.mode("vanish")
    task_id = served.submit()
    wait_for(lambda: served.task(task_id).error_code == "run.lost")
    served.mode("succeed")
    assert served.ended(task_id).state == "SUCCESS"


def test_a_fault_of_the_data_is_not_tried_again_and_keeps_its_words(served: House) -> None:
    served.mode("bad_data")
    task = served.ended(served.submit())
    assert (task.state, task.attempt, task.error_code, task.retryable) == ("FAILURE", 1, "data.blocked", False)
    assert task.error_detail == "42 rows have no label"
    assert served.audit("task.finish")[-1] == (f"task:{task.id}", "failed")


def test_attempts_come_to_an_end_and_a_person_can_begin_anew(served: House) -> None:
    served.mode("full_disk")
    task_id = served.submit()

    # The pauses between the last attempts are long; nobody here waits for them.
    def hurry() -> bool:
        served.change(task_id, not_before=None) if served.task(task_id).state == "RETRY" else None
        return served.task(task_id).state == "FAILURE"

    wait_for(hurry)
    task = served.task(task_id)
    assert (task.attempt, task.failures, task.error_code) == (MAX_FAILURES, MAX_FAILURES, "storage.full")
    served.mode("succeed")
    submission.retry(served.platform, served.caller(), task_id)
    task = served.ended(task_id)
    assert (task.state, task.attempt, task.failures) == ("SUCCESS", MAX_FAILURES + 1, 0)


def test_a_broker_that_lost_everything_loses_no_task(served: House) -> None:
    served.mode("wait")
    first, second = served.submit(), served.submit("ada")
    served.waits_in("STARTED", first)
    with connect(str(served.platform.queue._connection().url)) as client:  # type: ignore[attr-defined]
        client.flushall()
        assert client.llen(queue_name(TaskKind.TRAIN)) == 0
    served.mode("succeed")
    submission.cancel(served.platform, served.caller(), first)
    assert served.ended(first).state == "REVOKED"
    assert served.ended(second).state == "SUCCESS"

"""Claims, fencing, filters, and several processes writing at once, on real databases."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from app.db import session as session_module
from app.db.repositories import experiments, metrics, tasks
from app.db.session import Database, Session, open_database
from app.db.tables import MetricPointRow, TaskRow
from app.domain.errors import Conflict, InvalidInput, StorageError
from app.domain.filters import parse_filter, parse_sort
from app.domain.task import TaskState


@pytest.fixture
def database(database_url: str) -> Database:
    return open_database(database_url)


def add(session: Session, name: str, **values: Any) -> tuple[int, str]:
    given = {"experiment_name": "reviews", "config": {}, "base_model": "minilm", "seed": 1, "run_dir": name} | values
    return experiments.create(session, name=name, **given)


def claim(session: Session, task_id: str, token: str = "mine") -> int | None:
    return tasks.claim(session, task_id, token=token, pid=1, hostname="here")


def test_of_two_claims_one_succeeds(database: Database) -> None:
    with database.write() as session:
        _, task_id = add(session, "a")
        assert [claim(session, task_id, "first"), claim(session, task_id, "second")] == [1, None]


def test_a_stale_token_writes_nothing(database: Database) -> None:
    with database.write() as session:
        _, task_id = add(session, "a")
        claim(session, task_id, "old")
        tasks.finish(session, task_id, "old", TaskState.FAILURE)
        assert tasks.reopen(session, task_id)
        assert claim(session, task_id, "new") == 2
        assert not tasks.record_progress(session, task_id, "old", progress=0.9)
        assert not tasks.renew_lease(session, task_id, "old")
        assert not tasks.finish(session, task_id, "old", TaskState.SUCCESS)
        task = session.get_one(TaskRow, task_id)
        assert (task.state, task.progress) == ("STARTED", 0.0)


def test_a_success_is_never_left(database: Database) -> None:
    with database.write() as session:
        _, task_id = add(session, "a")
        claim(session, task_id)
        assert tasks.finish(session, task_id, "mine", TaskState.SUCCESS)
        assert not tasks.reopen(session, task_id)
        assert claim(session, task_id) is None


def test_a_state_nobody_knows_cannot_be_stored(database: Database) -> None:
    with database.write() as session:
        _, task_id = add(session, "a")
        with pytest.raises(IntegrityError):
            tasks._change(session, task_id, state="DONE")
        session.rollback()


def test_a_name_is_recorded_once(database: Database) -> None:
    with database.write() as session:
        add(session, "a")
    with pytest.raises(Conflict), database.write() as session:
        add(session, "a")


def test_what_is_written_in_a_block_that_raises_is_dropped(database: Database) -> None:
    def fail_halfway() -> None:
        with database.write() as session:
            add(session, "a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    with database.read() as session:
        assert experiments.names(session) == []


def test_a_deleted_experiment_takes_everything_with_it(database: Database) -> None:
    with database.write() as session:
        experiment_id, _ = add(session, "a")
        point = {"experiment_id": experiment_id, "kind": "step", "step": 1, "attempt": 1, "time": 0.0, "values": {}}
        metrics.add_points(session, [point])
        metrics.put_evaluation(session, experiment_id, "eval", {"accuracy": 0.5})
        metrics.put_checkpoint(session, experiment_id, step=1, path="a", size_bytes=1)
    with database.write() as session:
        experiments.delete(session, experiment_id)
        assert session.query(TaskRow).count() == session.query(MetricPointRow).count() == 0


def test_times_come_back_in_utc(database: Database) -> None:
    moment = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
    with database.write() as session:
        add(session, "a", created_at=moment)
    with database.read() as session:
        found = experiments.get(session, "a")
        assert found is not None
        assert found.experiment.created_at == moment


@pytest.fixture
def four(database: Database) -> Database:
    """Experiments a to d: accuracy 0.95, 0.85, none, 0.75; only a and b have succeeded."""
    with database.write() as session:
        for number, (name, accuracy) in enumerate({"a": 0.95, "b": 0.85, "c": None, "d": 0.75}.items(), start=1):
            created_at = datetime(2026, 1, number, tzinfo=UTC)
            experiment_id, task_id = add(session, name, data_name=f"50%_{name}", created_at=created_at)
            if accuracy is not None:
                metrics.put_evaluation(session, experiment_id, "eval", {"accuracy": accuracy, "loss": 1 - accuracy})
            if name in "ab":
                claim(session, task_id)
                tasks.finish(session, task_id, "mine", TaskState.SUCCESS)
    return database


@pytest.mark.parametrize(
    ("where", "sort", "expected"),
    [
        (None, "-created_at", "dcba"),
        (None, "accuracy", "dbac"),
        (None, "-accuracy", "abdc"),
        ("accuracy > 0.8", "name", "ab"),
        ("accuracy > 0.8 and state = SUCCESS", "-accuracy", "ab"),
        ("state = PENDING or loss <= 0.06", "name", "acd"),
        ("not (state = SUCCESS)", "name", "cd"),
        ("created_at >= 2026-01-03", "name", "cd"),
        ("dataset ~ '%_A'", "name", "a"),
    ],
)
def test_lists_are_filtered_and_sorted(four: Database, where: str | None, sort: str, expected: str) -> None:
    with four.read() as session:
        found = experiments.find(session, parse_filter(where) if where else None, parse_sort(sort))
    assert "".join(record.name for record in found) == expected


WRITER = """
import sys
from pathlib import Path
from app.db.repositories import metrics
from app.db.session import open_database
database, writer = open_database(sys.argv[1]), int(sys.argv[2])
for batch in range(25):
    with database.write() as session:
        metrics.add_points(session, [
            {"experiment_id": 1, "kind": "step", "step": 10 * batch + n, "attempt": writer, "time": 0.0, "values": {}}
            for n in range(10)
        ])
"""


def test_of_four_processes_writing_at_once_none_loses_a_point(database: Database) -> None:
    with database.write() as session:
        add(session, "a")
    url = database.engine.url.render_as_string()
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, str(number)], stderr=subprocess.PIPE)
        for number in range(4)
    ]
    errors = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    with database.read() as session:
        written = {(point.attempt, point.step) for point in metrics.points(session, 1)}
    assert written == {(writer, step) for writer in range(4) for step in range(250)}


NUMBERING = """
import sys
from sqlalchemy import func, select
from app.db.repositories import metrics
from app.db.session import open_database
from app.db.tables import MetricPointRow
database = open_database(sys.argv[1])
for _ in range(25):
    with database.write() as session:
        last = session.scalar(select(func.max(MetricPointRow.step))) or 0
        point = {"experiment_id": 1, "kind": "step", "step": last + 1, "attempt": 1, "time": 0.0, "values": {}}
        metrics.add_points(session, [point])
"""


def test_of_four_processes_that_write_what_they_read_none_is_misled(database: Database) -> None:
    with database.write() as session:
        add(session, "a")
    url = database.engine.url.render_as_string()
    processes = [subprocess.Popen([sys.executable, "-c", NUMBERING, url], stderr=subprocess.PIPE) for _ in range(4)]
    errors = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    with database.read() as session:
        assert [point.step for point in metrics.points(session, 1)] == list(range(1, 101))


def test_a_writer_that_waits_too_long_is_told_that_the_database_is_busy(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "BUSY_TIMEOUT_SECONDS", 0.2)
    database = open_database(database_url)
    with database.write() as first:
        add(first, "a")
        with pytest.raises(StorageError) as caught, database.write() as second:
            add(second, "b")
    with database.read() as session:
        assert experiments.names(session) == ["a"]
    assert caught.value.code == "storage.busy"


def test_writers_that_rest_on_nothing_go_side_by_side_on_postgresql(postgresql_url: str) -> None:
    database = open_database(postgresql_url)
    with database.write(alone=False) as first, database.write(alone=False) as second:
        add(first, "a")
        add(second, "b")
    with database.read() as session:
        assert experiments.names(session) == ["a", "b"]


def test_a_reader_sees_one_state_of_the_database(database: Database) -> None:
    with database.read() as session:
        before = experiments.names(session)
        with database.write() as writer:
            add(writer, "a")
        assert experiments.names(session) == before == []


def test_a_writer_that_stands_still_does_not_keep_others_out_of_postgresql(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "IDLE_WRITER_SECONDS", 1)
    database = open_database(postgresql_url)

    def stand_still() -> None:
        with database.write() as frozen:
            add(frozen, "a")
            with database.write() as session:
                add(session, "b")
            experiments.names(frozen)

    with pytest.raises(StorageError) as caught:
        stand_still()
    assert caught.value.code == "storage.busy"
    with database.read() as session:
        assert experiments.names(session) == ["b"]


def test_a_value_postgresql_cannot_store_is_the_senders_fault(postgresql_url: str) -> None:
    with pytest.raises(InvalidInput) as caught, open_database(postgresql_url).write() as session:
        add(session, "a\x00b")
    assert caught.value.code == "input.not_storable"

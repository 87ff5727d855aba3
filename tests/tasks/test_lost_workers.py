"""Workers that die, freeze or come back: another one goes on, and what is stale writes nothing."""

import json
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import pytest

from app.db.repositories import metrics, tasks
from app.db.tables import LeaseRow, MetricPointRow
from app.db.tables.base import utc_now
from app.domain.errors import Conflict
from app.domain.events import Event, RunFinished, StageChanged, StepLogged
from app.domain.task import Stage, TaskState
from app.runs.event_log import append_event
from app.runs.lock import read_attempt
from app.services import sweeper
from app.services.execution import directory_of
from app.services.queued_recording import QueuedRecorder
from app.tasks.broker import running_broker
from tests.tasks.conftest import House, WorkerProcess, sweep_after_the_lease, wait_for

MakeHouse = Callable[..., House]
StartWorker = Callable[..., WorkerProcess]


def claimed(house: House, pid: int, hostname: str) -> str:
    """A task that a worker of that name is doing."""
    task_id = house.submit()
    with house.platform.installation.database.write() as session:
        assert tasks.claim(session, task_id, token="old", pid=pid, hostname=hostname)
    return task_id


def recorder(house: House, task_id: str) -> QueuedRecorder:
    run = house.run(task_id)
    return QueuedRecorder(house.platform, house.task(task_id), run)


def freeze(house: House, worker: WorkerProcess) -> None:
    """Stop a worker where it is, but not while it writes: SQLite would then let nobody write until it wakes."""
    while True:
        worker.kill(signal.SIGSTOP)
        with closing(sqlite3.connect(house.results_dir / "experiments.db", timeout=1)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError:
                worker.kill(signal.SIGCONT)


def test_a_frozen_worker_loses_its_task_and_writes_nothing_when_it_wakes(
    make_house: MakeHouse, start_worker: StartWorker
) -> None:
    house = make_house(lease_seconds=2)
    with running_broker(house.platform.settings):
        frozen = start_worker(house, "frozen")
        house.mode("wait")
        task_id = house.submit()
        house.waits_in("STARTED", task_id)
        freeze(house, frozen)
        house.mode("succeed")
        start_worker(house, "awake")
        task = house.ended(task_id)
        assert (task.state, task.attempt) == ("SUCCESS", 2)
        frozen.kill(signal.SIGCONT)
        wait_for(lambda: b"was taken over by another worker" in frozen.log.read_bytes())
        after = house.task(task_id)
        assert (after.state, after.finished_at, after.token) == (task.state, task.finished_at, task.token)
    assert house.audit("task.finish") == [(f"task:{task_id}", "success")]


def test_a_task_whose_lease_has_run_out_is_given_to_another_worker(house: House) -> None:
    task_id = claimed(house, 1, "elsewhere")
    assert sweep_after_the_lease(house) == [task_id]
    task = house.task(task_id)
    assert (task.state, task.error_code, task.failures) == ("RETRY", "run.lost", 1)
    assert "worker 1 on elsewhere" in (task.error_detail or "")


def test_a_lease_that_is_renewed_is_nobody_elses_whatever_a_clock_says(house: House) -> None:
    task_id = claimed(house, 1, "elsewhere")
    house.change(task_id, lease_expires_at=utc_now() - timedelta(days=1))
    now, lease = [0.0], house.platform.settings.lease_seconds
    watch = sweeper.LeaseWatch(lambda: now[0])
    for second in range(0, int(3 * lease), int(lease / 4)):
        now[0] = second
        assert sweeper.find_lost(house.platform, watch) == []
        house.change(task_id, lease_expires_at=utc_now() - timedelta(days=1) + timedelta(seconds=second))
    sweeper.find_lost(house.platform, watch)
    now[0] += lease
    lost = sweeper.find_lost(house.platform, watch)
    assert [task.id for task, _ in lost] == [task_id]
    house.change(task_id, lease_expires_at=utc_now())
    assert sweeper.recover(house.platform, lost) == [], "it was renewed while somebody was about to take it"


def test_what_a_dead_worker_had_finished_is_not_done_again(house: House) -> None:
    task_id = claimed(house, 1, "elsewhere")
    run = house.run(task_id)
    run.path.mkdir()
    append_event(run.events, RunFinished(state=TaskState.SUCCESS, attempt=1))
    run.metrics.write_text(json.dumps({"eval": {"accuracy": 0.8}}))
    sweep_after_the_lease(house)
    assert house.task(task_id).state == "SUCCESS"
    assert house.audit("task.finish") == [(f"task:{task_id}", "success")]


def test_a_cancelled_task_of_a_dead_worker_is_not_given_to_another(house: House) -> None:
    task_id = claimed(house, 1, "elsewhere")
    house.change(task_id, cancel_requested_at=utc_now())
    sweep_after_the_lease(house)
    assert house.task(task_id).state == "REVOKED"


def test_a_stale_worker_writes_nothing(house: House) -> None:
    task_id = claimed(house, 1, "elsewhere")
    stale = recorder(house, task_id)
    sweep_after_the_lease(house)
    run = house.run(task_id)
    run.path.mkdir()
    append_event(run.events, StageChanged(stage=Stage.EVALUATING))
    run.metrics.write_text(json.dumps({"eval": {"accuracy": 0.8}}))
    for write in (stale.take_new, stale.renew, lambda: stale.begin(7)):
        with pytest.raises(Exception, match="taken over"):
            write()
    assert stale.finish(RunFinished(state=TaskState.SUCCESS)) is None
    assert house.task(task_id).state == "RETRY"
    with house.platform.installation.database.read() as session:
        assert metrics.evaluations(session, house.task(task_id).experiment_id or 0) == {}
    assert house.audit("task.finish") == []


def num_points(house: House, task_id: str) -> int:
    with house.platform.installation.database.read() as session:
        return session.query(MetricPointRow).filter_by(experiment_id=house.task(task_id).experiment_id).count()


def report(house: House, task_id: str, *events: Event) -> None:
    run = house.run(task_id)
    run.path.mkdir(exist_ok=True)
    for event in events:
        append_event(run.events, event)


def steps(*numbers: int) -> list[Event]:
    usual = {"total_steps": 10, "epoch": 0.1, "loss": 0.5, "learning_rate": 1e-3, "samples_per_second": 1.0}
    usual |= {"tokens_per_second": 1.0, "eta_seconds": 1.0}
    return [StepLogged.model_validate({"step": number, **usual}) for number in numbers]


def test_what_two_processes_read_under_one_claim_is_counted_once_and_heard_by_both(house: House) -> None:
    task_id = claimed(house, 1, "elsewhere")
    one, other = recorder(house, task_id), recorder(house, task_id)
    report(house, task_id, *steps(1, 2))
    assert len(one.take_new()) == 2
    report(house, task_id, *steps(3), RunFinished(state=TaskState.SUCCESS, attempt=1))
    assert [event.type for event in other.take_new()] == ["step", "step", "step", "finished"]
    assert [event.type for event in one.take_new()] == ["step", "finished"]
    assert num_points(house, task_id) == 3
    assert house.task(task_id).events_offset == house.run(task_id).events.stat().st_size


def test_a_worker_that_wakes_while_its_task_is_taken_counts_nothing_twice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = claimed(house, 1, "elsewhere")
    awake = recorder(house, task_id)
    report(house, task_id, *steps(1, 2, 3))
    take_new = QueuedRecorder.take_new

    def wakes_in_between(self: QueuedRecorder) -> list[Event]:
        events = take_new(self)
        with pytest.raises(Conflict, match="taken over"):
            take_new(awake)
        with pytest.raises(Conflict, match="taken over"):
            awake.renew()
        return events

    monkeypatch.setattr(QueuedRecorder, "take_new", wakes_in_between)
    assert sweep_after_the_lease(house) == [task_id]
    assert (house.task(task_id).state, num_points(house, task_id)) == ("RETRY", 3)


def test_the_sweep_is_done_by_one_process_at_a_time(house: House) -> None:
    assert sweeper.sweep(house.platform)
    assert not sweeper.sweep(house.platform), "it was done just now"
    from app.db.repositories import leases

    every = timedelta(0)
    with house.platform.installation.database.write() as session:
        assert leases.take(session, "duty", "one", timedelta(minutes=1), every=every)
        assert not leases.take(session, "duty", "two", timedelta(minutes=1), every=every)
        assert leases.done(session, "duty", "one")
        assert leases.take(session, "duty", "two", timedelta(minutes=1), every=every)
        assert not leases.done(session, "duty", "one")
        ahead = session.get_one(LeaseRow, "duty")
        ahead.expires_at = ahead.done_at = utc_now() + timedelta(hours=5)
    with house.platform.installation.database.write() as session:
        assert leases.take(session, "duty", "one", timedelta(minutes=1), every=every), "a clock was wrong"


def test_an_attempt_takes_the_directory_over_from_the_one_before(house: House) -> None:
    house.mode("full_disk")
    task_id = house.submit()
    assert house.work() == task_id
    first = read_attempt(house.run(task_id))
    house.change(task_id, not_before=None)
    house.mode("succeed")
    assert house.work() == task_id
    second = read_attempt(house.run(task_id))
    assert first is not None
    assert second is not None
    assert (first.number, second.number, second.token) == (1, 2, house.task(task_id).token)
    assert directory_of(house.results_dir, house.task(task_id), "x").path == house.results_dir / "x"

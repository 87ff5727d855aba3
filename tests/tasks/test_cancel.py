"""Stopping work: by whom it belongs to, and by the end of its worker."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.domain.errors import Conflict
from app.services import submission, training
from app.services.supervisor import StopRequest
from app.services.training import Interface
from app.tasks.broker import running_broker
from app.tasks.heartbeat import Heartbeat, any_fresh, main
from tests.tasks.conftest import House, WorkerProcess, build_house, wait_for

StartWorker = Callable[..., WorkerProcess]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, reviews_store: Path) -> Iterator[House]:
    """An installation with a broker; workers are each test's own."""
    house = build_house(tmp_path_factory.mktemp("served"), reviews_store)
    with running_broker(house.platform.settings):
        yield house
    house.close()


def cancel(house: House, task_id: str) -> None:
    submission.cancel(house.platform, house.caller(), task_id)


def test_a_cancelled_child_has_its_signal_within_two_seconds_and_can_go_on_later(
    served: House, start_worker: StartWorker
) -> None:
    start_worker(served)
    delays = []
    for _ in range(3):  # other work on the machine may disturb one
        served.mode("wait")
        task_id = served.submit()
        served.waits_in("STARTED", task_id)
        asked = time.time()
        cancel(served, task_id)
        assert served.ended(task_id).state == "REVOKED"
        delays.append(float((served.run(task_id).path / "signalled").read_text()) - asked)
        if delays[-1] < 2:
            break
    assert min(delays) < 2
    assert served.audit("task.cancel")[-1] == (f"task:{task_id}", "success")
    served.mode("succeed")
    submission.retry(served.platform, served.caller(), task_id)
    task = served.ended(task_id)
    assert (task.state, task.attempt, task.cancel_requested_at) == ("SUCCESS", 2, None)


def test_a_worker_that_is_told_to_end_leaves_its_work_to_the_next(served: House, start_worker: StartWorker) -> None:
    first = start_worker(served, "first")
    served.mode("wait")
    task_id = served.submit()
    served.waits_in("STARTED", task_id)
    wait_for(Heartbeat(served.platform.settings, "first").is_ready)
    first.kill(signal.SIGTERM)
    assert first.end() == 0
    task = served.task(task_id)
    assert (task.state, task.failures, task.not_before) == ("RETRY", 0, None)
    assert not Heartbeat(served.platform.settings, "first").is_fresh()
    served.mode("succeed")
    start_worker(served, "second")
    assert served.ended(task_id).state == "SUCCESS"


def test_a_waiting_task_is_cancelled_at_once_and_never_begins(house: House) -> None:
    task_id = house.submit()
    cancel(house, task_id)
    assert house.task(task_id).state == "REVOKED"
    assert house.work() is None
    assert not house.run(task_id).path.exists()


def test_what_has_ended_is_neither_cancelled_nor_done_again(house: House) -> None:
    task_id = house.submit()
    assert house.work() == task_id
    with pytest.raises(Conflict) as caught:
        cancel(house, task_id)
    assert caught.value.code == "task.ended"
    with pytest.raises(Conflict) as caught:
        submission.retry(house.platform, house.caller(), task_id)
    assert caught.value.code == "task.succeeded"
    waiting = house.submit()
    with pytest.raises(Conflict) as caught:
        submission.retry(house.platform, house.caller(), waiting)
    assert caught.value.code == "task.not_ended"


def test_a_run_that_somebody_goes_on_with_on_the_command_line_is_no_workers_any_more(house: House) -> None:
    house.mode("bad_data")
    task_id = house.submit()
    house.work()
    house.mode("succeed")
    nobody = Interface(began=lambda run: None, event=lambda event: None, stop=StopRequest())
    outcome = training.resume(house.platform.installation, house.run(task_id).name, nobody)
    assert outcome.state == "SUCCESS"
    task = house.task(task_id)
    assert (task.state, task.is_queued, task.attempt) == ("SUCCESS", False, 2)


def test_a_probe_believes_only_a_fresh_sign_of_a_living_worker(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    heartbeat = Heartbeat(house.platform.settings, "worker")
    assert main([]) == 1
    heartbeat.beat()
    assert (main([]), main(["worker"]), main(["another"])) == (0, 0, 1)
    assert not heartbeat.is_ready()
    heartbeat.path.write_text("999999999 ready")
    assert not any_fresh(house.platform.settings)

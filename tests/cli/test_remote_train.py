"""`finetune --server URL train`: stored there, trained by a worker, watched here; the engine is a stand-in."""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.db.tables import TaskRow
from app.services.execution import execute_next
from app.services.platform import Platform
from app.services.supervisor import StopRequest
from tests.api_server import ApiServer

ENGINE = Path(__file__).parents[1] / "services" / "stand_in_engine.py"


class Worker:
    """Takes tasks in a thread, as a worker's process does; `mode` is what the engine does with the next one."""

    def __init__(self, platform: Platform) -> None:
        self.mode, self.stop = "succeed", StopRequest()
        self._platform, self._over = platform, threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._over.wait(0.05):
            opened = replace(self._platform.installation, engine=(sys.executable, str(ENGINE), self.mode))
            execute_next(replace(self._platform, installation=opened), self.stop)

    def end(self) -> None:
        self.stop.ask()
        self.stop.ask()
        self._over.set()
        self._thread.join(60)


@pytest.fixture
def worker(api_server: ApiServer) -> Iterator[Worker]:
    worker = Worker(api_server.platform)
    yield worker
    worker.end()


@pytest.fixture
def there(api_server: ApiServer, finetune: Callable[..., Any], be: Any) -> Callable[..., Any]:
    """`there(*words)` types a command with --server, as the account ada."""
    be("user", "ada")
    return lambda *words: finetune("--server", api_server.address, *words)


@pytest.fixture
def reviews_1(own_reviews: Any, api_server: ApiServer) -> None:
    own_reviews(api_server.platform, "ada")


def test_a_file_is_stored_trained_on_and_told_of_as_here(
    there: Any, finetune: Any, worker: Worker, reviews: Path
) -> None:
    over_http = there("train", "--data", str(reviews), "--name", "mine", "--yes")
    assert over_http.status == 0, over_http.err
    here = finetune("train", "--data", str(reviews), "--name", "other", "--yes")
    told = over_http.out.splitlines()
    assert told[0] == "stored as reviews@1"
    without_place = [line for line in here.out.splitlines() if not line.startswith(("run other", "  "))]
    missing = [line for line in without_place if line not in told]
    assert missing == []
    assert "75.0 % [60.0, 90.0]" in over_http.out
    assert "passed: 100.00 % equal labels over 8 rows" in over_http.out
    assert [line.split()[:3] for line in told[-3:]] == [
        ["finetune", "experiments", "show"],
        ["finetune", "experiments", "export"],
        ["finetune", "experiments", "list"],
    ]


def test_a_stored_version_needs_no_file(there: Any, worker: Worker, reviews_1: None) -> None:
    answer = there("train", "--data", "reviews", "--set", "lora.r=4", "--json")
    assert answer.status == 0, answer.err
    expected = {"run": "experiment-001", "dir": None, "state": "SUCCESS", "accuracy": 0.75}
    assert [json.loads(line) for line in answer.out.splitlines()] == [expected]
    assert "stage: training" in answer.err
    found = json.loads(there("experiments", "show", "experiment-001", "--json").out)
    assert (found["config"]["lora"]["r"], found["config"]["data"]["train"]) == (4, "reviews@1")
    assert found["owner"] == "ada"


def test_a_run_that_fails_says_why_and_exits_with_1(there: Any, worker: Worker, reviews_1: None) -> None:
    worker.mode = "fail"
    answer = there("train", "--data", "reviews@1", "--name", "bad", "--json")
    assert answer.status == 1
    assert json.loads(answer.out)["state"] == "FAILURE"
    assert "error: bad failed: the loss is not finite at step 3" in answer.err
    assert "finetune experiments logs bad" in answer.err
    worker.mode = "succeed"
    answer = there("train", "--resume", "bad")
    assert answer.status == 0, answer.err
    assert "75.0 %" in answer.out
    answer = there("train", "--resume", "bad")
    assert (answer.status, answer.err.splitlines()[0]) == (
        1,
        "error: run 'bad' is finished; there is nothing to resume",
    )


def _press(number: int, when: Callable[[], bool]) -> threading.Thread:
    """Send the main thread a signal as soon as something is so, as a terminal does."""
    main = threading.main_thread().ident
    assert main is not None

    def watch() -> None:
        pause = threading.Event()
        while not when():
            pause.wait(0.05)
        signal.pthread_kill(main, number)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def test_ctrl_c_saves_and_stops_the_run_there(
    there: Any, api_server: ApiServer, worker: Worker, reviews_1: None, tmp_path: Path
) -> None:
    worker.mode = "wait"
    events = tmp_path / "results" / "mine" / "events.jsonl"
    pressed = _press(signal.SIGINT, lambda: events.is_file() and '"step"' in events.read_text())
    answer = there("train", "--data", "reviews@1", "--name", "mine")
    pressed.join(60)
    assert answer.status == 1
    assert "asked the server to save and stop" in answer.out
    assert answer.out.endswith("mine was stopped; go on with:\n  finetune train --resume mine\n")
    worker.mode = "succeed"
    answer = there("train", "--resume", "mine")
    assert answer.status == 0, answer.err
    assert answer.out.count("stage: training") == 1


def test_ctrl_c_twice_leaves_the_run_to_the_server(
    there: Any, api_server: ApiServer, worker: Worker, reviews_1: None
) -> None:
    worker.mode = "deaf"

    def row() -> TaskRow:
        with api_server.platform.installation.database.read() as session:
            return session.query(TaskRow).one_or_none() or TaskRow(state="")

    first = _press(signal.SIGINT, lambda: row().progress == 0.25)
    second = _press(signal.SIGINT, lambda: row().cancel_requested_at is not None)
    answer = there("train", "--data", "reviews@1", "--name", "mine")
    first.join(60)
    second.join(60)
    assert answer.status == 1
    assert answer.out.endswith(
        "is STARTED still, and goes on without you; watch it again:\n  finetune train --resume mine\n"
    )


def test_faults_of_the_configuration_are_told_before_a_file_is_sent(
    there: Any, api_server: ApiServer, reviews: Path
) -> None:
    answer = there("train", "--data", str(reviews), "--base-model", "someone/else")
    assert answer.status == 2
    assert "model.name: 'someone/else' is no base model of this installation" in answer.err
    assert json.loads(there("data", "list", "--json").out) == []


def test_files_and_stored_data_do_not_mix(there: Any, reviews: Path, reviews_1: None) -> None:
    answer = there("train", "--data", str(reviews), "--eval-data", "reviews@1")
    assert answer.status == 2
    assert "do not go together" in answer.err

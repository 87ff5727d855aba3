"""A queue where everything is real but, where training is not the matter, the engine: database, broker, workers."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from app.auth.passwords import Passwords
from app.db.repositories import datasets, task_queue, tasks, users
from app.db.tables import TaskRow
from app.domain.principal import Caller, Principal, Role
from app.domain.task import TaskKind, TaskState
from app.domain.train_config import TrainConfig
from app.runs.directory import RunDirectory
from app.services import submission, sweeper
from app.services.execution import execute_next
from app.services.installation import Installation
from app.services.platform import Platform, open_platform
from app.services.supervisor import StopRequest
from app.settings import Settings, get_settings
from app.tasks.broker import running_broker
from app.tasks.queue import CeleryQueue

REPOSITORY = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).with_name("stand_in.py")
CHEAP = Passwords(time_cost=1, memory_kib=8, parallelism=1)
SECONDS = 300.0
"""How long anything may take before a test gives up; on an idle machine it is a fraction of a second."""


def wait_for(what: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """The first true answer."""
    deadline = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return answer


@dataclass
class House:
    """An installation with accounts, one stored data set and a queue; `mode` is what its engine does next."""

    platform: Platform
    mode_file: Path
    has_engine: bool
    config: dict[str, Any]

    def __post_init__(self) -> None:
        self.stop = StopRequest()

    @property
    def results_dir(self) -> Path:
        return self.platform.installation.results_dir

    def close(self) -> None:
        self.platform.installation.database.engine.dispose()

    def mode(self, mode: str) -> None:
        self.mode_file.write_text(mode)

    def caller(self, username: str = "ada", role: Role = Role.USER) -> Caller:
        with self.platform.installation.database.write() as session:
            row = users.get(session, username) or users.add(session, username=username, password_hash="", role=role)
            assert row is not None
            principal = Principal(user_id=row.id, username=username, role=Role(row.role), via="token")
        return Caller(principal=principal, request_id="test")

    def submit(self, username: str = "ada", **given: Any) -> str:
        """A training of the account; the task's id. `config` is added to the usual one."""
        config = TrainConfig.model_validate({**self.config, **given.pop("config", {})})
        return submission.submit_training(self.platform, self.caller(username), config, **given).task_id

    def work(self) -> str | None:
        """What a worker does with one wake-up."""
        return execute_next(self.platform, self.stop)

    def task(self, task_id: str) -> TaskRow:
        with self.platform.installation.database.read() as session:
            task = tasks.get(session, task_id)
            assert task is not None
            return task

    def change(self, task_id: str, **values: Any) -> None:
        """Write into a task's row behind everybody's back."""
        with self.platform.installation.database.write() as session:
            task = tasks.get(session, task_id)
            assert task is not None
            for name, value in values.items():
                setattr(task, name, value)

    def ended(self, task_id: str) -> TaskRow:
        """The task's row, once it has ended."""
        return cast("TaskRow", wait_for(lambda: (row := self.task(task_id)) and TaskState(row.state).is_final and row))

    def waits_in(self, state: str, task_id: str) -> None:
        """Come back when the task is in that state and, where it runs, has a checkpoint."""
        wait_for(lambda: self.task(task_id).state == state)
        if state == "STARTED":
            wait_for(
                lambda: self.run(task_id).events.is_file() and b"checkpoint" in self.run(task_id).events.read_bytes()
            )

    def run(self, task_id: str) -> RunDirectory:
        with self.platform.installation.database.read() as session:
            training = tasks.training_of(session, task_id)
            assert training is not None
            return RunDirectory(self.results_dir / training[0])

    def next_tasks(self, limit: int = 10) -> list[str]:
        with self.platform.installation.database.read() as session:
            found = task_queue.waiting(session, [TaskKind.TRAIN], self.platform.settings.max_running, limit)
            return [task.id for task in found]

    def audit(self, action: str) -> list[tuple[str, str]]:
        """Resource and outcome of every event of that action."""
        from app.db.tables import AuditEventRow

        with self.platform.installation.database.read() as session:
            rows = session.query(AuditEventRow).filter_by(action=action).order_by(AuditEventRow.id)
            return [(row.resource, row.outcome) for row in rows]


def build_house(folder: Path, stored: Path, *, engine: bool = False, **given: Any) -> House:
    """An installation in a folder; without `engine` the stand-in plays it."""
    usual = {"results_dir": folder / "results", "retry_seconds": 0.1, "database_url": get_settings().database_url}
    settings = Settings(**{**usual, **given})
    shutil.copytree(stored, settings.results_dir, dirs_exist_ok=True)
    platform = open_platform(settings, CeleryQueue(settings), passwords=CHEAP)
    mode_file = folder / "mode"
    if not engine:
        opened, command = platform.installation, (sys.executable, str(STAND_IN), str(mode_file))
        platform = replace(platform, installation=Installation(opened.database, opened.results_dir, command))
    house = House(platform, mode_file, engine, {"experiment_name": "reviews", "data": {"train": "reviews@1"}})
    house.mode("succeed")
    house.caller()
    with platform.installation.database.write() as session:
        datasets.claim(session, "reviews", "ada")
    return house


@pytest.fixture
def make_house(tmp_path: Path, reviews_store: Path) -> Iterator[Callable[..., House]]:
    """`make_house(engine=False, **settings)`: an installation of this test; no broker answers it."""
    made: list[House] = []

    def make(**given: Any) -> House:
        made.append(build_house(tmp_path, reviews_store, **given))
        return made[-1]

    yield make
    for house in made:
        house.close()


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    """An installation whose broker does not answer and whose engine is the stand-in."""
    return make_house()


def sweep_after_the_lease(house: House) -> list[str]:
    """What is taken from workers by somebody who has looked twice, a lease apart."""
    now = [0.0]
    watch = sweeper.LeaseWatch(lambda: now[0])
    assert sweeper.find_lost(house.platform, watch) == []
    now[0] = house.platform.settings.lease_seconds
    return sweeper.recover(house.platform, sweeper.find_lost(house.platform, watch))


class WorkerProcess:
    """A real worker; leaving the block ends it and waits for its children."""

    def __init__(self, house: House, name: str, log: Path) -> None:
        settings = house.platform.settings
        self.log = log
        environment = {
            **os.environ,
            "RESULTS_DIR": str(settings.results_dir),
            "REDIS_URL": settings.redis_url,
            "DATABASE_URL": settings.database_url,
            "ALLOWED_MODELS": ",".join(settings.allowed_models),
            "LEASE_SECONDS": str(settings.lease_seconds),
            "RETRY_SECONDS": str(settings.retry_seconds),
            "WORKER_SLOTS": "1",
        }
        stand_in = [str(STAND_IN.with_name("stand_in_worker.py")), str(house.mode_file)]
        program = ["-m", "app.tasks.worker"] if house.has_engine else stand_in
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *program, name],
                env=environment,
                cwd=REPOSITORY,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def kill(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Ask it to end; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            return self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@contextmanager
def workers_in(folder: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """`start(house, name)` starts a worker; at the end all are ended, and their logs shown."""
    started: list[WorkerProcess] = []

    def start(house: House, name: str = "worker") -> WorkerProcess:
        started.append(WorkerProcess(house, name, folder / f"{name}-{len(started)}.log"))
        return started[-1]

    try:
        yield start
    finally:
        for worker in started:
            worker.end()
            print(worker.log.read_text(errors="replace")[-5000:])


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """`start_worker(house, name="worker")` starts a worker of that installation."""
    with workers_in(tmp_path) as start:
        yield start


@pytest.fixture
def real_house(make_house: Callable[..., House], tiny_model: Callable[..., Path]) -> Iterator[House]:
    """An installation with its own broker, whose engine trains a tiny model for real."""
    model = str(tiny_model("bert", 2, 128))
    house = make_house(engine=True, allowed_models=(model,), lease_seconds=4)
    house.config |= {
        "model": {"name": model},
        "lora": {"lora_dropout": 0.1},
        "training": {
            "max_steps": 60, "per_device_train_batch_size": 8, "learning_rate": 1e-3, "num_threads": 1,
            "precision": "fp32", "device": "cpu",
        },
        "checkpoints": {"every": 50},
    }  # fmt: skip
    with running_broker(house.platform.settings):
        yield house

"""Following background work: what it reports arrives once and in order, over as many connections as it takes."""

import json
import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from app.client import Client
from app.client.retrying import Retrying
from app.db.tables import TaskRow
from app.domain.errors import Conflict, NotFound, ServiceUnavailable
from app.domain.events import Event, StageChanged, StepLogged
from app.domain.task import Stage, TaskState
from app.schemas.tasks import TaskView
from tests.api_runs import MadeRun, Runs
from tests.api_server import ApiServer
from tests.client.conftest import Cutter


class Work:
    """Plays the worker at the database and the event file, which is all of it that the API sees."""

    def __init__(self, server: ApiServer, owner: str = "user") -> None:
        self.server = server
        self.run: MadeRun = Runs(server.platform).add("reviews-001", owner=owner, state="PENDING")

    @property
    def task_id(self) -> str:
        return self.run.task_id

    def change(self, **values: Any) -> None:
        with self.server.platform.installation.database.write() as session:
            for name, value in values.items():
                setattr(session.get_one(TaskRow, self.task_id), name, value)

    def report(self, **event: Any) -> None:
        with self.run.directory.events.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": 1.0, "attempt": 1, **event}, ensure_ascii=False) + "\n")

    def steps(self, numbers: range) -> None:
        for number in numbers:
            self.report(
                type="step", step=number, total_steps=100, epoch=0.5, loss=0.5, learning_rate=1e-3,
                samples_per_second=1.0, tokens_per_second=1.0, eta_seconds=1.0,
            )  # fmt: skip


@pytest.fixture
def client(api_server: ApiServer) -> Iterator[Client]:
    """The account whose work it is."""
    with api_server.signed_in("user") as client:
        yield client


def test_waiting_tells_everything_and_ends_with_the_task(api_server: ApiServer, client: Client) -> None:
    work, heard, stood = Work(api_server), [], []
    running, stepped = threading.Event(), threading.Event()

    def hear(event: Event) -> None:
        heard.append(event)
        if isinstance(event, StepLogged):
            stepped.set()

    def stand(view: TaskView) -> None:
        stood.append(view.status)
        running.set()

    def advance() -> None:
        assert running.wait(60)
        work.change(state=TaskState.STARTED, stage=Stage.TRAINING, attempt=1)
        work.report(type="stage", stage="training")
        work.steps(range(1, 3))
        work.report(type="warning", code="x", message="列\u2028一")
        assert stepped.wait(60)
        work.change(state=TaskState.FAILURE, error_code="run.diverged", error_detail="it diverged")

    worker = threading.Thread(target=advance)
    worker.start()
    ended = client.tasks.wait(work.task_id, hear, standing=stand)
    worker.join(60)
    assert [event.type for event in heard] == ["stage", "step", "step", "warning"]
    assert (stood[0], stood[-1]) == (TaskState.PENDING, TaskState.FAILURE)
    assert ended.status == TaskState.FAILURE
    assert ended.error is not None
    assert ended.error.code == "run.diverged"


def test_what_has_ended_is_told_at_once(api_server: ApiServer, client: Client) -> None:
    work = Work(api_server)
    work.steps(range(1, 4))
    work.change(state=TaskState.REVOKED)
    heard: list[Event] = []
    assert client.tasks.wait(work.task_id, heard.append).status == TaskState.REVOKED
    assert len(heard) == 3


def _by(cutter: Cutter, client: Client) -> Client:
    address = f"http://127.0.0.1:{cutter.server_address[1]}"
    return Client(address, client.connection.sign_in, retrying=Retrying(first_seconds=0.01, longest_seconds=0.05))


def test_a_stream_that_breaks_goes_on_where_it_broke(api_server: ApiServer, client: Client, cutting: Any) -> None:
    work = Work(api_server)
    work.steps(range(1, 41))
    work.change(state=TaskState.FAILURE)
    cutter = cutting(api_server.address, [1000, 1700, 2600])
    with _by(cutter, client) as unlucky:
        heard: list[Event] = []
        unlucky.tasks.wait(work.task_id, heard.append)
    steps = [event.step for event in heard if isinstance(event, StepLogged)]
    assert steps == list(range(1, 41))
    asked = [int(line.partition(b":")[2]) for line in cutter.sent.splitlines() if b"Last-Event-ID" in line]
    assert len(asked) >= 2
    assert all(before < after for before, after in pairwise(asked))


def test_a_server_that_stays_away_is_given_up(api_server: ApiServer, client: Client, cutting: Any) -> None:
    work = Work(api_server)
    cutter = cutting(api_server.address, [1] * 100)
    with _by(cutter, client) as unlucky, pytest.raises(ServiceUnavailable, match="broke the connection"):
        unlucky.tasks.wait(work.task_id)


def test_an_event_of_a_younger_server_is_passed_over(api_server: ApiServer, client: Client) -> None:
    work = Work(api_server)
    work.report(type="brain_waves", amplitude=3)
    work.report(type="stage", stage="training")
    work.change(state=TaskState.REVOKED)
    assert [event for event in client.tasks.follow(work.task_id) if not isinstance(event, TaskView)] == [
        StageChanged(time=1.0, attempt=1, stage=Stage.TRAINING)
    ]


def test_work_is_listed_stopped_and_let_go_on(api_server: ApiServer, client: Client) -> None:
    work = Work(api_server)
    assert [task.task_id for task in client.tasks.all(states=[TaskState.PENDING])] == [work.task_id]
    assert list(client.tasks.all(states=[TaskState.SUCCESS])) == []
    assert client.tasks.cancel(work.task_id).status == TaskState.REVOKED
    with pytest.raises(Conflict):
        client.tasks.cancel(work.task_id)
    assert client.tasks.retry(work.task_id).status in (TaskState.RETRY, TaskState.PENDING)
    with pytest.raises(NotFound):
        client.tasks.show("0b6cf0ee-7a3e-4f4e-9f5f-0f8d4c1f3a11")


def test_logs_and_points_are_read_whole(api_server: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.client.tasks.LOG_PIECE_BYTES", 16)
    monkeypatch.setattr("app.client.tasks.MAX_POINTS", 3)
    work = Work(api_server)
    text = "第一步 first step\n第二步 second step\n"
    work.run.directory.log.write_text(text, encoding="utf-8")
    assert "".join(client.tasks.log(work.task_id)) == text
    Runs(api_server.platform).add_points(work.run, "step", range(1, 9))
    assert [point.step for point in client.tasks.points(work.task_id)] == list(range(1, 9))
    assert client.tasks.metrics(work.task_id, max_points=4).sampled

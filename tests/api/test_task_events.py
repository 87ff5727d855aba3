"""Server-sent events of a task on a real server: replayed, followed, taken up again, and cut off in time."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from app.api import event_streams
from app.client.sse import ServerEvent, read_events
from app.db.tables import TaskRow
from app.services.platform import Platform
from tests.api_runs import MadeRun, Runs
from tests.api_server import PASSWORD, ApiServer

SECONDS = 60.0


@pytest.fixture
def runs(api_server: ApiServer) -> Runs:
    return Runs(api_server.platform)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks often, so that a test need not wait."""
    monkeypatch.setattr(event_streams, "LOOK_SECONDS", 0.02)


@pytest.fixture
def user(api_server: ApiServer) -> Iterator[httpx.Client]:
    yield from signed_in(api_server, "user")


def signed_in(server: ApiServer, name: str) -> Iterator[httpx.Client]:
    server.account(username=name)
    with httpx.Client(base_url=server.address, timeout=SECONDS) as client:
        tokens = client.post("/login", json={"username": name, "password": PASSWORD}).json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        yield client


def report(run: MadeRun, *events: dict[str, Any]) -> None:
    """Append to the run's events, as an engine does."""
    with run.directory.events.open("a", encoding="utf-8") as file:
        for event in events:
            file.write(json.dumps(event, ensure_ascii=False) + "\n")


def step(number: int) -> dict[str, Any]:
    return {"type": "step", "step": number, "loss": 1 / number}


def end(platform: Platform, run: MadeRun) -> None:
    with platform.installation.database.write() as session:
        session.get_one(TaskRow, run.task_id).state = "REVOKED"


def follow(client: httpx.Client, run: MadeRun, last_id: str | None = None) -> Iterator[ServerEvent]:
    headers = {"Last-Event-ID": last_id} if last_id is not None else {}
    with client.stream("GET", f"/task/{run.task_id}/events", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield from read_events(response.iter_bytes())


def test_a_finished_task_is_replayed_to_its_end(runs: Runs, user: httpx.Client) -> None:
    run = runs.add("reviews-001")
    report(run, step(1), {"type": "warning", "code": "x", "message": "標籤不平衡\u2028"}, step(2))
    with run.directory.events.open("a") as file:
        file.write('no event\n{"type": 7}\n["list"]\n{"type": "Bad Name"}\n{"type": "step", "cut')
    events = list(follow(user, run))
    assert [event.name for event in events] == ["task", "step", "warning", "step", "end"]
    assert json.loads(events[0].data)["status"] == "SUCCESS"
    assert json.loads(events[2].data)["message"] == "標籤不平衡\u2028"
    assert json.loads(events[-1].data) == {"status": "SUCCESS"}
    assert events[0].retry_seconds == 2.0


def test_a_running_task_is_followed_until_it_ends(api_server: ApiServer, runs: Runs, user: httpx.Client) -> None:
    run = runs.add("reviews-001", state="STARTED")
    stream = follow(user, run)
    assert next(stream).name == "task"
    for number in range(1, 4):
        report(run, step(number))
        event = next(stream)
        assert (event.name, json.loads(event.data)["step"]) == ("step", number)
    end(api_server.platform, run)
    last = list(stream)
    assert [event.name for event in last] == ["task", "end"]
    assert json.loads(last[0].data)["status"] == "REVOKED"


def test_a_stream_that_broke_goes_on_after_the_last_event_that_was_read(runs: Runs, user: httpx.Client) -> None:
    run = runs.add("reviews-001")
    report(run, *(step(number) for number in range(1, 6)))
    first = list(follow(user, run))
    broken_at = first[2].id
    assert broken_at is not None
    rest = [event for event in follow(user, run, broken_at) if event.name == "step"]
    assert [json.loads(event.data)["step"] for event in rest] == [3, 4, 5]
    answer = user.get(f"/task/{run.task_id}/events", headers={"Last-Event-ID": str(first[-2].id)})
    assert answer.status_code == 204
    assert user.get(f"/task/{run.task_id}/events", headers={"Last-Event-ID": "x"}).status_code == 422


def test_a_run_that_is_deleted_ends_its_stream(api_server: ApiServer, runs: Runs, user: httpx.Client) -> None:
    run = runs.add("reviews-001", state="STARTED")
    stream = follow(user, run)
    next(stream)
    with api_server.platform.installation.database.write() as session:
        session.delete(session.get_one(TaskRow, run.task_id))
    assert list(stream) == []


def test_silence_is_shown_to_be_life(runs: Runs, user: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "HEARTBEAT_SECONDS", 0.05)
    run = runs.add("reviews-001", state="STARTED")
    with user.stream("GET", f"/task/{run.task_id}/events") as response:
        received = b""
        for piece in response.iter_bytes():
            received += piece
            if received.count(b": alive\n\n") == 3:
                break
    assert b"event: task" in received


@pytest.fixture
def checked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a client may still follow is asked each time it is told something."""
    monkeypatch.setattr(event_streams, "CHECK_SECONDS", 0.0)


@pytest.mark.usefixtures("checked_often")
def test_whoever_signs_out_is_told_no_more(runs: Runs, user: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "HEARTBEAT_SECONDS", 0.05)
    run = runs.add("reviews-001", state="STARTED")
    stream = follow(user, run)
    next(stream)
    assert user.post("/logout").status_code == 204
    assert list(stream) == []


@pytest.mark.usefixtures("checked_often")
def test_whoever_signs_out_is_not_told_what_is_new_either(runs: Runs, user: httpx.Client) -> None:
    run = runs.add("reviews-001", state="STARTED")
    stream = follow(user, run)
    next(stream)
    assert user.post("/logout").status_code == 204
    report(run, step(1))
    assert list(stream) == []


@pytest.mark.usefixtures("checked_often")
def test_whose_task_it_is_no_more_is_told_no_more(api_server: ApiServer, runs: Runs, user: httpx.Client) -> None:
    run = runs.add("reviews-001", state="STARTED")
    stream = follow(user, run)
    next(stream)
    with api_server.platform.installation.database.write() as session:
        session.get_one(TaskRow, run.task_id).owner = "another"
    report(run, step(1))
    assert list(stream) == []


def test_one_account_follows_only_so_many_at_once(
    runs: Runs, user: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "MAX_STREAMS_PER_USER", 2)
    run = runs.add("reviews-001", state="STARTED")
    streams = [follow(user, run), follow(user, run)]
    for stream in streams:
        next(stream)
    refused = user.get(f"/task/{run.task_id}/events")
    assert (refused.status_code, refused.json()["code"]) == (429, "limit.streams")
    assert int(refused.headers["retry-after"]) > 0
    streams[0].close()
    wait_for(lambda: next_or_none(user, run))


def test_many_who_come_at_once_get_no_more_streams_than_there_may_be(
    api_server: ApiServer, runs: Runs, user: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "MAX_STREAMS_PER_USER", 2)
    run = runs.add("reviews-001", state="STARTED")
    together = threading.Barrier(12)
    statuses: list[int] = []

    def ask() -> None:
        together.wait()
        with httpx.stream("GET", f"{api_server.address}/task/{run.task_id}/events", headers=user.headers) as response:
            statuses.append(response.status_code)
            wait_for(lambda: len(statuses) == 12)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert sorted(statuses) == [200] * 2 + [429] * 10


def next_or_none(user: httpx.Client, run: MadeRun) -> ServerEvent | None:
    """The first event, once there is room for another stream."""
    with user.stream("GET", f"/task/{run.task_id}/events") as response:
        return next(read_events(response.iter_bytes())) if response.status_code == 200 else None


def wait_for(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (answer := what()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return answer


def test_a_client_that_never_reads_is_cut_off_and_holds_nothing(
    api_server: ApiServer, runs: Runs, user: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "SECONDS_TO_READ", 0.5)
    run = runs.add("reviews-001", state="STARTED")
    report(run, *({"type": "warning", "message": "x" * 200_000} for _ in range(150)))
    follower = api_server.app.state.follower
    host, port = api_server.address.removeprefix("http://").split(":")
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((host, int(port)))
        request = (
            f"GET /task/{run.task_id}/events HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: {user.headers['authorization']}\r\n\r\n"
        )
        deaf.sendall(request.encode())
        wait_for(lambda: follower.num_streams == 1)
        wait_for(lambda: follower.num_streams == 0)
    assert [event.name for event in first(follow(user, run), 2)] == ["task", "warning"]


def first(stream: Iterator[ServerEvent], count: int) -> list[ServerEvent]:
    found = [next(stream) for _ in range(count)]
    stream.close()  # type: ignore[attr-defined]
    return found


def test_many_who_follow_hold_no_thread_each(api_server: ApiServer, runs: Runs, user: httpx.Client) -> None:
    run = runs.add("reviews-001", state="STARTED")
    before = threading.active_count()
    streams = [follow(user, run) for _ in range(event_streams.MAX_STREAMS_PER_USER)]
    for stream in streams:
        next(stream)
    assert api_server.app.state.follower.num_streams == len(streams)
    assert threading.active_count() - before < len(streams)
    report(run, step(1))
    assert {next(stream).name for stream in streams} == {"step"}
    for stream in streams:
        stream.close()  # type: ignore[attr-defined]


def test_who_may_not_follow(client: TestClient) -> None:
    assert client.get("/task/x/events").status_code == 401

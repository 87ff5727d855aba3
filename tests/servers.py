"""Real servers for tests: a throw-away PostgreSQL, with a fresh database for each test, and a Redis behind an address.

A test that needs one whose programs are not installed is skipped, and says which are missing.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SECONDS_TO_START = 60
UNPRIVILEGED_USERS = ("postgres", "nobody")
ADDRESS = "postgresql+psycopg://tests@/{database}?host={socket}"


@dataclass(frozen=True)
class PostgreSQL:
    """A running cluster, reached through a socket in `folder`."""

    folder: Path

    def url(self, database: str) -> str:
        """The address of one of its databases."""
        return ADDRESS.format(database=database, socket=self.folder)

    def execute(self, statement: str) -> None:
        """Run a statement that stands in no transaction."""
        import psycopg

        with psycopg.connect(f"host={self.folder} user=tests dbname=postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def create_database(self, template: str = "template1") -> str:
        """A new database, empty or a copy; its address."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database, whoever is still connected."""
        name = url.removeprefix(ADDRESS.partition("{")[0]).partition("?")[0]
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _newest_binaries() -> Path:
    """Debian keeps one folder a version, none of them on PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    candidates = [*folders[::-1], *(Path(found).parent for found in [shutil.which("initdb")] if found)]
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    pytest.skip("PostgreSQL is not installed: no /usr/lib/postgresql/*/bin/initdb (apt-get install postgresql)")


def _as_server_user(folder: Path) -> list[str]:
    """The start of a command for somebody other than root, as whom PostgreSQL refuses to run; the folder is theirs.

    What is started ends with this process, whatever that dies of.
    """
    ends_with_us = ["setpriv", "--pdeathsig=INT"]
    if os.getuid() != 0:
        return [*ends_with_us, "--"] if shutil.which("setpriv") else []
    for name in UNPRIVILEGED_USERS:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(folder, user.pw_uid, user.pw_gid)
        return [*ends_with_us, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]
    pytest.skip("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A cluster for this session; what it holds need not survive, so it waits for no disk."""
    binaries = _newest_binaries()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short, and open to another user, as pytest's own folders are not
    user = _as_server_user(folder)
    data, log = folder / "data", folder / "log"
    options = ["--username=tests", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    made = subprocess.run(
        [*user, str(binaries / "initdb"), f"--pgdata={data}", *options], cwd="/", capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    fast = {"listen_addresses": "", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    settings = [word for name, value in fast.items() for word in ("-c", f"{name}={value}")]
    command = [*user, str(binaries / "postgres"), "-D", str(data), "-k", str(folder), *settings]
    # It is no process of the installation whose test happens to need it first.
    environment = {name: value for name, value in os.environ.items() if name != "RESULTS_DIR"}
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd="/", env=environment, stdout=output, stderr=output)
    try:
        cluster = PostgreSQL(folder)
        _wait_for(cluster, server, log)
        yield cluster
    finally:
        server.send_signal(signal.SIGINT)  # ends its clients too
        server.wait(SECONDS_TO_START)
        shutil.rmtree(folder)


def _wait_for(cluster: PostgreSQL, server: subprocess.Popen[bytes], log: Path) -> None:
    import psycopg

    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            cluster.execute("SELECT 1")
            return
        except psycopg.OperationalError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)


@pytest.fixture(scope="session")
def migrated(postgresql: PostgreSQL) -> str:
    """The name of a database that has all tables, to be copied."""
    from app.db.session import make_engine, migrate

    postgresql.execute("CREATE DATABASE migrated")
    engine = make_engine(postgresql.url("migrated"))
    migrate(engine)
    engine.dispose()
    return "migrated"


@pytest.fixture
def postgresql_installation(postgresql: PostgreSQL, migrated: str) -> Iterator[str]:
    """The address of a database of this test that has all tables and no row."""
    from app.db.session import open_database

    url = postgresql.create_database(migrated)
    yield url
    open_database(url).engine.dispose()
    postgresql.drop_database(url)


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL) -> Iterator[str]:
    """The address of an empty database of this test."""
    from app.db.session import open_database

    url = postgresql.create_database()
    yield url
    open_database(url).engine.dispose()
    postgresql.drop_database(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database; the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql_url")
    return f"sqlite:///{tmp_path / 'experiments.db'}"


def free_port() -> int:
    """A port of loopback that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis that knows nothing of this program, behind a TCP address as `REDIS_URL` has it."""
    from app.domain.errors import ServiceUnavailable
    from app.tasks.broker import find_server, is_ready

    try:
        program = shutil.which("redis-server") or str(find_server())
    except ServiceUnavailable:
        pytest.skip("no Redis is installed: neither redis-server nor valkey-server (apt-get install redis-server)")
    port = free_port()
    url = f"redis://:a%20secret@127.0.0.1:{port}/0"
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "app.services.child", str(os.getpid()), program),
            *("--port", str(port), "--bind", "127.0.0.1", "--requirepass", "a secret", "--save", ""),
        ],
        cwd=tmp_path_factory.mktemp("redis"),
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while not is_ready(url):
            assert server.poll() is None, f"{program} ended with status {server.returncode}"
            assert time.monotonic() < deadline, f"{program} does not answer"
            time.sleep(0.02)
        yield url
    finally:
        server.terminate()
        server.wait(SECONDS_TO_START)


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The address of a Redis that holds nothing."""
    from app.tasks.broker import connect

    with connect(redis_server) as client:
        client.flushall()
    return redis_server

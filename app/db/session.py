"""Engine, transactions and the first use of a database: everything that differs between SQLite and PostgreSQL.

A caller opens one transaction with `read()` or `write()`; it is committed at the edge of the `with` block or not at
all.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.db.migrations import HEAD
from app.domain.errors import ConfigError, InvalidInput, PlatformError, ServiceUnavailable, StorageError
from app.domain.wording import say

__all__ = ["Database", "Session", "open_database"]

BUSY_TIMEOUT_SECONDS = 30
CONNECT_TIMEOUT_SECONDS = 10
IDLE_WRITER_SECONDS = 20
"""A writer of PostgreSQL that says nothing for so long is cut off, before those that wait for it give up."""
CONNECTIONS = 40
"""Of one process to PostgreSQL at most: one for each thread that answers requests."""
WRITERS_LOCK, MIGRATION_LOCK = 7010302, 7010303
_BEGIN_OPTION = "sqlite_begin"
_AN_ADDRESS = "for example postgresql://USER:PASSWORD@HOST/DATABASE"


class Database:
    """One database of this installation, migrated to the newest schema."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._is_postgresql = engine.url.get_backend_name() == "postgresql"
        one_state: dict[str, Any] = {"isolation_level": "REPEATABLE READ"} if self._is_postgresql else {}
        self._reader = engine.execution_options(**one_state)
        self._writer = engine.execution_options(**{_BEGIN_OPTION: "IMMEDIATE"})

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that sees one state of the database; whatever it changed is dropped."""
        with database_errors(self.engine.url), Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self, *, alone: bool = True) -> Iterator[Session]:
        """A transaction that is committed when the block ends, and dropped when it raises.

        It waits at its start until no other one writes, so what it reads stays true until it is committed: a limit is
        counted and used up by one writer at a time. With `alone=False`, for writes that rest on nothing that was read,
        writers go side by side where the database can do that (PostgreSQL).
        """
        with (
            database_errors(self.engine.url),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            if alone and self._is_postgresql:
                # A process that stands still in the middle of a write (SIGSTOP, a frozen machine) would keep all out.
                session.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_WRITER_SECONDS}s'"))
                session.execute(text(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})"))
            yield session


@contextmanager
def database_errors(url: URL) -> Iterator[None]:
    """Turn the driver's complaints about the database itself into a StorageError that says what to do."""
    try:
        yield
    except (DatabaseError, sqlite3.DatabaseError) as error:
        cause = getattr(error, "orig", error)
        found = _sqlite_fault(url, cause) if url.get_backend_name() == "sqlite" else _postgresql_fault(url, cause)
        if found is None:
            raise
        raise found from error
    except PoolTimeout as error:
        raise _busy(url.render_as_string(hide_password=True), "it is asked for more at once than it answers") from error


def _sqlite_fault(url: URL, cause: BaseException) -> PlatformError | None:
    shown, reason = url.render_as_string(hide_password=True), str(cause)
    if "malformed" in reason:
        return StorageError(
            say("{database} is damaged: {reason}", database=url.database or shown, reason=reason),
            hint="move the file away; `finetune experiments import` brings each run back from its directory",
            code="storage.unreadable",
        )
    if "not a database" in reason:
        return StorageError(
            say("{shown} is not a database", shown=shown),
            hint="move the file away; a new one is made",
            code="storage.unreadable",
        )
    if not isinstance(cause, sqlite3.OperationalError):
        return None
    if "disk is full" in reason:
        return _full(shown, reason)
    if "locked" in reason:
        return _busy(shown, "another process holds it; try again, or find it with `fuser`")
    return StorageError(
        say("cannot use {shown}: {reason}", shown=shown, reason=reason),
        hint="check that RESULTS_DIR exists and is writable",
    )


def _postgresql_fault(url: URL, cause: BaseException) -> PlatformError | None:
    shown, reason = url.render_as_string(hide_password=True), str(cause).strip()
    state = getattr(cause, "sqlstate", None) or ""
    kinds = {kind.__name__ for kind in type(cause).__mro__}
    if state == "53100":
        return _full(shown, reason)
    if state in ("55P03", "40001", "40P01", "25P03"):
        return _busy(shown, "others write to it; try again")
    if "DataError" in kinds:
        return InvalidInput(
            say("a value cannot be stored: {reason}", reason=reason.splitlines()[0]), code="input.not_storable"
        )
    if "OperationalError" in kinds:
        return ServiceUnavailable(
            say("cannot reach {shown}: {reason}", shown=shown, reason=reason),
            hint="check DATABASE_URL",
            code="database.unavailable",
        )
    return None


def _full(shown: str, reason: str) -> StorageError:
    return StorageError(
        say("cannot write {shown}: {reason}", shown=shown, reason=reason),
        hint="free some disk space",
        code="storage.full",
    )


def _busy(shown: str, hint: str) -> StorageError:
    return StorageError(
        say(
            "{shown} was busy for {busy_timeout_seconds} seconds",
            shown=shown,
            busy_timeout_seconds=BUSY_TIMEOUT_SECONDS,
        ),
        hint=hint,
        code="storage.busy",
    )


def make_engine(url: str) -> Engine:
    """An engine whose connections behave: foreign keys are enforced, writers wait, transactions are real."""
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "postgresql":
            return _postgresql_engine(parsed)
        if parsed.get_backend_name() != "sqlite":
            raise ArgumentError(f"{parsed.get_backend_name()} is not supported; SQLite and PostgreSQL are")
        engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigError(say("DATABASE_URL cannot be used: {error}", error=error), hint=_AN_ADDRESS) from error
    except ValueError:
        # Its own words repeat what stands after the colon, which may be a part of the password.
        raise ConfigError("DATABASE_URL cannot be used: its port is no number", hint=_AN_ADDRESS) from None

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # The driver's own BEGIN comes too late (before the first write, not the first read); ours is below.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        # NORMAL would lose the last accepted jobs with the power, and the audit log would look cut. On a virtual disk a
        # commit, so also a submit, takes 4 ms instead of 0.4.
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get(_BEGIN_OPTION, "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _postgresql_engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        pool_pre_ping=True,
        pool_size=CONNECTIONS // 4,
        max_overflow=CONNECTIONS - CONNECTIONS // 4,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.execute(f"SET lock_timeout = '{BUSY_TIMEOUT_SECONDS}s'")
        connection.commit()

    return engine


def current_revision(connection: Connection) -> str | None:
    """The schema revision the database is at; None before the first migration."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision; of several processes, one does it and the others wait."""
    with database_errors(engine.url), _migration_lock(engine):
        if engine.url.get_backend_name() == "sqlite":
            # Kept in the file, so once is enough; under the lock, since two switches at once fail.
            raw = engine.raw_connection()
            try:
                raw.cursor().execute("PRAGMA journal_mode = WAL")
            finally:
                raw.close()
        with engine.connect() as connection:
            if current_revision(connection) == HEAD:
                return
        from app.db.migrations.upgrade import upgrade_to_head

        with engine.execution_options(**{_BEGIN_OPTION: "IMMEDIATE"}).begin() as connection:
            upgrade_to_head(connection)


@contextmanager
def _migration_lock(engine: Engine) -> Iterator[None]:
    """Exclude other migrating processes: a lock file beside SQLite, an advisory lock in PostgreSQL."""
    if engine.url.get_backend_name() != "sqlite":
        with engine.connect() as connection:
            connection.execute(text(f"SELECT pg_advisory_lock({MIGRATION_LOCK})"))
            try:
                yield
            finally:
                connection.execute(text(f"SELECT pg_advisory_unlock({MIGRATION_LOCK})"))
        return
    if engine.url.database in (None, "", ":memory:"):
        yield
        return
    path = Path(f"{engine.url.database}.lock")
    try:
        _refuse_file_as_directory(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StorageError(
            say("cannot write {parent}: {strerror}", parent=path.parent, strerror=error.strerror),
            hint="set RESULTS_DIR to a directory you may write to",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _refuse_file_as_directory(path: Path) -> None:
    """Name the file that stands where a directory is needed; the operating system only says that it exists."""
    for place in (path, *path.parents):
        if place.exists():
            if not place.is_dir():
                raise StorageError(
                    say("cannot write {path}: {place} is a file, not a directory", path=path, place=place),
                    hint="set RESULTS_DIR to a directory you may write to",
                )
            return


@lru_cache
def open_database(url: str) -> Database:
    """The database at `url`, created and migrated when needed; one engine a process and URL."""
    engine = make_engine(url)
    migrate(engine)
    return Database(engine)

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
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session

from app.db.migrations import HEAD
from app.domain.errors import ConfigError, ServiceUnavailable, StorageError

__all__ = ["Database", "Session", "open_database"]

BUSY_TIMEOUT_SECONDS = 30
_BEGIN_OPTION = "sqlite_begin"


class Database:
    """One database of this installation, migrated to the newest schema."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(**{_BEGIN_OPTION: "IMMEDIATE"})

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that sees one state of the database; whatever it changed is dropped."""
        with database_errors(self.engine.url), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that is committed when the block ends, and dropped when it raises.

        On SQLite it takes the write lock at its start, so it waits for other writers instead of failing in the middle.
        """
        with (
            database_errors(self.engine.url),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session


@contextmanager
def database_errors(url: URL) -> Iterator[None]:
    """Turn the driver's complaints about the database itself into a StorageError that says what to do."""
    shown = url.render_as_string(hide_password=True)
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        reason = str(getattr(error, "orig", error))
        if "disk is full" in reason:
            raise StorageError(
                f"cannot write {shown}: {reason}", hint="free some disk space", code="storage.full"
            ) from error
        if "locked" in reason:
            raise StorageError(
                f"{shown} was busy for {BUSY_TIMEOUT_SECONDS} seconds",
                hint="another process holds it; try again, or find it with `fuser`",
                code="storage.busy",
            ) from error
        if url.get_backend_name() == "sqlite":
            raise StorageError(
                f"cannot use {shown}: {reason}", hint="check that RESULTS_DIR exists and is writable"
            ) from error
        raise ServiceUnavailable(f"cannot reach {shown}: {reason}", hint="check DATABASE_URL") from error
    except (DatabaseError, sqlite3.DatabaseError) as error:
        reason = str(getattr(error, "orig", error))
        if "malformed" in reason:
            raise StorageError(
                f"{url.database or shown} is damaged: {reason}",
                hint="move the file away; `finetune experiments import` brings each run back from its directory",
                code="storage.unreadable",
            ) from error
        if "not a database" in reason:
            raise StorageError(
                f"{shown} is not a database", hint="move the file away; a new one is made", code="storage.unreadable"
            ) from error
        raise


def make_engine(url: str) -> Engine:
    """An engine whose connections behave: foreign keys are enforced, writers wait, transactions are real."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_pre_ping=True)
        engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigError(
            f"DATABASE_URL cannot be used: {error}", hint="for example sqlite:///results/experiments.db"
        ) from error

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # The driver's own BEGIN comes too late (before the first write, not the first read); ours is below.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get(_BEGIN_OPTION, "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")

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
            connection.execute(text("SELECT pg_advisory_lock(7010303)"))
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(7010303)"))
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
            f"cannot write {path.parent}: {error.strerror}",
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
                    f"cannot write {path}: {place} is a file, not a directory",
                    hint="set RESULTS_DIR to a directory you may write to",
                )
            return


@lru_cache
def open_database(url: str) -> Database:
    """The database at `url`, created and migrated when needed; one engine a process and URL."""
    engine = make_engine(url)
    migrate(engine)
    return Database(engine)

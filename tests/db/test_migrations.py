"""Models and migrations agree, and several processes may open a new database at once."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError

from app.db.migrations import HEAD
from app.db.migrations.upgrade import alembic_config, head_revision
from app.db.session import current_revision, make_engine, migrate, open_database
from app.db.tables import AuditEventRow, Base
from app.domain.errors import ConfigError, ServiceUnavailable, StorageError
from tests.servers import free_port

AN_EVENT = {
    "id": 1,
    "time": datetime(2026, 1, 31, tzinfo=UTC),
    "actor": "somebody",
    "action": "user.create",
    "resource": "user:somebody",
    "outcome": "success",
    "request_id": "",
    "details": {},
    "previous_hash": "",
    "hash": "",
}


def test_tables_and_migrations_agree(database_url: str) -> None:
    with open_database(database_url).engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_head_that_start_up_compares_with_is_the_newest_migration() -> None:
    assert head_revision() == HEAD


def test_the_newest_migration_can_be_undone_and_done_again(database_url: str) -> None:
    engine = open_database(database_url).engine
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "-1")
    with engine.connect() as connection:
        assert current_revision(connection) != HEAD
    migrate(engine)
    with engine.connect() as connection:
        assert current_revision(connection) == HEAD


def test_four_processes_open_a_new_database_at_once(database_url: str) -> None:
    code = f"from app.db.session import open_database; open_database({database_url!r})"
    processes = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(4)]
    errors = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    with open_database(database_url).engine.connect() as connection:
        assert current_revision(connection) == HEAD


def test_a_database_of_a_newer_version_is_refused(database_url: str) -> None:
    engine = open_database(database_url).engine
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from-the-future'"))
    with pytest.raises(StorageError) as caught:
        migrate(engine)
    assert caught.value.code == "storage.schema"


@pytest.mark.parametrize("change", ["UPDATE audit_events SET actor = 'x'", "DELETE FROM audit_events"])
def test_the_database_itself_refuses_to_change_an_audit_event(database_url: str, change: str) -> None:
    engine = open_database(database_url).engine
    with engine.begin() as connection:
        connection.execute(insert(AuditEventRow).values(AN_EVENT))
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(change))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT actor FROM audit_events")).scalars().all() == ["somebody"]


def test_on_postgresql_the_audit_log_cannot_be_emptied_at_once(postgresql_url: str) -> None:
    engine = open_database(postgresql_url).engine
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text("TRUNCATE audit_events"))


def test_a_damaged_database_says_how_to_get_the_runs_back(tmp_path: Path) -> None:
    path = tmp_path / "experiments.db"
    engine = make_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    with pytest.raises(StorageError, match=r"experiments\.db is damaged") as caught:
        migrate(make_engine(f"sqlite:///{path}"))
    assert "finetune experiments import" in caught.value.hint


def test_a_file_where_the_results_directory_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    with pytest.raises(StorageError, match="results is a file, not a directory"):
        migrate(make_engine(f"sqlite:///{tmp_path / 'results' / 'experiments.db'}"))


def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "experiments.db"
    path.write_text("name,accuracy\n" * 1000)
    with pytest.raises(StorageError, match="not a database"):
        migrate(make_engine(f"sqlite:///{path}"))


def test_what_is_committed_outlives_a_power_cut(tmp_path: Path) -> None:
    with open_database(f"sqlite:///{tmp_path / 'experiments.db'}").engine.connect() as connection:
        modes = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
    assert modes == ["wal", 2], "write-ahead, and synchronous = FULL"


@pytest.mark.parametrize("url", ["experiments.db", "mysql://localhost/a", "oracle+nothing://a"])
def test_a_url_nobody_understands_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL"):
        make_engine(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_spelling_of_a_postgresql_address_is_understood(scheme: str) -> None:
    assert make_engine(f"{scheme}://somebody@localhost/a").url.drivername == "postgresql+psycopg"


def test_a_postgresql_that_is_not_there_is_named_without_its_password() -> None:
    url = f"postgresql://somebody:a-secret@127.0.0.1:{free_port()}/a"
    with pytest.raises(ServiceUnavailable, match="cannot reach postgresql") as caught:
        open_database(url)
    assert "a-secret" not in str(caught.value)
    assert caught.value.hint == "check DATABASE_URL"


def test_a_port_that_is_no_number_is_refused_without_what_stands_there() -> None:
    with pytest.raises(ConfigError, match="its port is no number") as caught:
        make_engine("postgresql://somebody:a-secret@localhost:another-secret/a")
    assert "secret" not in str(caught.value)

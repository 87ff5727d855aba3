"""Models and migrations agree, and several processes may open a new database at once."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from app.db.migrations import HEAD
from app.db.migrations.upgrade import head_revision
from app.db.session import current_revision, make_engine, migrate, open_database
from app.db.tables import Base
from app.domain.errors import ConfigError, StorageError


def test_tables_and_migrations_agree(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_head_that_start_up_compares_with_is_the_newest_migration() -> None:
    assert head_revision() == HEAD


def test_every_table_can_be_made_on_postgresql() -> None:
    for table in Base.metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))


def test_four_processes_open_a_new_database_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'experiments.db'}"
    code = f"from app.db.session import open_database; open_database({url!r})"
    processes = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(4)]
    errors = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    with open_database(url).engine.connect() as connection:
        assert current_revision(connection) == HEAD


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "experiments.db"
    migrate(make_engine(f"sqlite:///{path}"))
    with create_engine(f"sqlite:///{path}").begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from-the-future'"))
    with pytest.raises(StorageError) as caught:
        migrate(make_engine(f"sqlite:///{path}"))
    assert caught.value.code == "storage.schema"


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


def test_a_url_nobody_understands_is_refused() -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL"):
        make_engine("experiments.db")

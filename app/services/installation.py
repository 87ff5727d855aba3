"""What every use case needs to know of this installation: its database and its results directory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.db.session import Database, open_database
from app.runs.directory import RunDirectory
from app.services.supervisor import ENGINE
from app.settings import Settings


@dataclass(frozen=True)
class Installation:
    """`engine` is the command a run directory is given to."""

    database: Database
    results_dir: Path
    engine: Sequence[str]


def open_installation(settings: Settings) -> Installation:
    """The installation the settings describe; its database is made when there is none."""
    return Installation(open_database(settings.effective_database_url), settings.results_dir, ENGINE)


def database_of(run: RunDirectory, settings: Settings) -> Database | None:
    """The database a run may be recorded in: the configured one, or the file beside the run; none is made."""
    if settings.database_url and run.results_dir == settings.results_dir.resolve():
        return open_database(settings.database_url)
    beside = Settings(results_dir=run.results_dir)
    return open_database(beside.effective_database_url) if beside.database_file.is_file() else None

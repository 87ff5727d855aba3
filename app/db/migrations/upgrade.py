"""Run the migrations on a connection that is given, inside its transaction."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from app.domain.errors import StorageError


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's view of this package; no ini file is needed."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def head_revision() -> str | None:
    """The newest revision among the migration scripts."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def upgrade_to_head(connection: Connection) -> None:
    """Apply what is missing; StorageError when the database comes from a newer version of the program."""
    try:
        command.upgrade(alembic_config(connection), "head")
    except CommandError as error:
        raise StorageError(
            f"the database has a schema this version does not know: {error}",
            hint="it was used by a newer version; install that one, or set DATABASE_URL to another database",
            code="storage.schema",
        ) from error

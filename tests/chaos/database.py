"""The site's database, as somebody beside it uses it: holds it, or sees whether others hold it."""

import sqlite3

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.db.session import WRITERS_LOCK
from tests.tasks.conftest import House

_SECONDS = 1

HOLDERS = {
    "sqlite": """
import sqlite3, sys, time
from sqlalchemy import make_url
connection = sqlite3.connect(make_url(sys.argv[1]).database, timeout=60, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.rollback()
""",
    "postgresql": """
import sys, time
from sqlalchemy import create_engine, text
with create_engine(sys.argv[1]).begin() as connection:
    connection.execute(text("LOCK TABLE tasks, audit_events IN EXCLUSIVE MODE"))
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
""",
}
"""Programs that let nobody write to the database at an address for some seconds, and say so once they do."""


def can_write(house: House) -> bool:
    """Whether nobody is in a write, or none lasts longer than a second."""
    engine = house.platform.installation.database.engine
    if engine.url.get_backend_name() == "sqlite":
        connection = sqlite3.connect(engine.url.database or "", timeout=_SECONDS, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            return False
        else:
            return True
        finally:
            connection.close()
    try:
        with engine.connect() as beside:
            beside.execute(text(f"SET LOCAL lock_timeout = '{_SECONDS}s'"))
            beside.execute(text(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})"))
            beside.execute(text("LOCK TABLE tasks, audit_head IN EXCLUSIVE MODE"))
            beside.rollback()
    except DBAPIError:
        return False
    return True

"""What the tests of the audit log record, and how they look at it past the product."""

from typing import Any

from sqlalchemy import text

from app.db.session import Database
from app.domain.principal import Caller
from app.services.auditing import AuditLog

KEY = b"a key of the tests, which signs the log"
LOCAL = Caller(local_user="ada", request_id="r-1")


def columns(audit: AuditLog, *names: str) -> list[Any]:
    """Those columns of every event, in order of their ids; one alone as plain values."""
    with audit.database.read() as session:
        rows = session.execute(text(f"SELECT {', '.join(names)} FROM audit_events ORDER BY id")).all()
    return [row[0] for row in rows] if len(names) == 1 else [tuple(row) for row in rows]


def past_the_triggers(database: Database, *statements: str, **values: Any) -> None:
    """Run SQL as somebody who owns the database: the triggers are removed first and then put back."""
    with database.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            names = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_events'"
            guards = list(connection.execute(text(names)).scalars())
            removed = [f"DROP TRIGGER audit_events_no_{verb}" for verb in ("update", "delete", "replace")]
        else:
            removed = ["ALTER TABLE audit_events DISABLE TRIGGER audit_events_append_only"]
            guards = ["ALTER TABLE audit_events ENABLE TRIGGER audit_events_append_only"]
        for statement in (*removed, *statements, *guards):
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(text(statement), used)


def record_and_drop(audit: AuditLog, count: int = 1) -> None:
    """Append events in a transaction that fails; raises RuntimeError."""
    with audit.database.write() as session:
        for _ in range(count):
            audit.append(session, LOCAL, "a.b", "c:dropped")
        raise RuntimeError

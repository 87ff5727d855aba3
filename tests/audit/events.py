"""What the tests of the audit log record, and how they look at it past the product."""

from typing import Any

from sqlalchemy import text

from app.domain.principal import Caller
from app.services.auditing import AuditLog

KEY = b"a key of the tests, which signs the log"
LOCAL = Caller(local_user="ada", request_id="r-1")


def columns(audit: AuditLog, *names: str) -> list[Any]:
    """Those columns of every event, in order of their ids; one alone as plain values."""
    with audit.database.read() as session:
        rows = session.execute(text(f"SELECT {', '.join(names)} FROM audit_events ORDER BY id")).all()
    return [row[0] for row in rows] if len(names) == 1 else [tuple(row) for row in rows]


def record_and_drop(audit: AuditLog, count: int = 1) -> None:
    """Append events in a transaction that fails; raises RuntimeError."""
    with audit.database.write() as session:
        for _ in range(count):
            audit.append(session, LOCAL, "a.b", "c:dropped")
        raise RuntimeError

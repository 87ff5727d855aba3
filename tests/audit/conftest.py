"""An audit log on a database of its own, and the means of somebody who can write to that database."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.db.session import open_database
from app.services.audit_verification import verify as verify_log
from app.services.auditing import AuditLog
from tests.audit.events import KEY, LOCAL

GUARDS = ("audit_events_no_update", "audit_events_no_delete", "audit_events_no_replace")


@pytest.fixture
def audit(database_url: str, tmp_path: Path) -> AuditLog:
    """An empty log; the test runs on SQLite and on PostgreSQL."""
    return AuditLog(open_database(database_url), KEY, tmp_path / "results")


@pytest.fixture
def fill(audit: AuditLog) -> Callable[[int], None]:
    """`fill(n)` records n events, each in a transaction of its own."""

    def record(count: int) -> None:
        for number in range(count):
            audit.append_now(LOCAL, "dataset.create", f"dataset:d{number}", details={"rows": number})

    return record


@pytest.fixture
def forge(audit: AuditLog) -> Callable[..., None]:
    """`forge(statement, ...)` runs SQL past the triggers, which it removes first and then puts back."""

    def run(*statements: str, **values: Any) -> None:
        with audit.database.engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                names = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_events'"
                guards = list(connection.execute(text(names)).scalars())
                removed = [f"DROP TRIGGER {name}" for name in GUARDS]
            else:
                removed = ["ALTER TABLE audit_events DISABLE TRIGGER audit_events_append_only"]
                guards = ["ALTER TABLE audit_events ENABLE TRIGGER audit_events_append_only"]
            for statement in (*removed, *statements, *guards):
                connection.execute(text(statement), {k: v for k, v in values.items() if f":{k}" in statement})

    return run


@pytest.fixture
def verify(audit: AuditLog) -> Callable[[], list[tuple[int | None, str]]]:
    """`verify()` checks the whole log and gives what is wrong, each with its id."""

    def check() -> list[tuple[int | None, str]]:
        return [(fault.id, fault.what) for fault in verify_log(audit).faults]

    return check

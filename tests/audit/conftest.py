"""An audit log on a database of its own, and the means of somebody who can write to that database."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from app.db.session import open_database
from app.services.audit_verification import verify as verify_log
from app.services.auditing import AuditLog
from tests.audit.events import KEY, LOCAL, past_the_triggers


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

    return partial(past_the_triggers, audit.database)


@pytest.fixture
def verify(audit: AuditLog) -> Callable[[], list[tuple[int | None, str]]]:
    """`verify()` checks the whole log and gives what is wrong, each with its id."""

    def check() -> list[tuple[int | None, str]]:
        return [(fault.id, fault.what) for fault in verify_log(audit).faults]

    return check

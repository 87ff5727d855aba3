"""An event is written with the change it records or the change does not happen; no secret is written."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.db.session import open_database
from app.db.tables import DatasetRow
from app.db.tables.base import utc_now
from app.domain.errors import AuditUnavailable, InvalidInput
from app.domain.principal import Caller, Principal, Role
from app.services.auditing import AuditLog
from tests.audit.events import KEY, LOCAL, columns, record_and_drop

ADA = Principal(user_id=1, username="ada", role=Role.USER, via="token")


def names(audit: AuditLog) -> list[str]:
    with audit.database.read() as session:
        return list(session.scalars(select(DatasetRow.name)))


def create(audit: AuditLog, *datasets: str, fail: bool = False) -> None:
    """A change with its event, in one transaction."""
    with audit.database.write() as session:
        for name in datasets:
            session.add(DatasetRow(name=name, owner="ada", created_at=utc_now(), stored_bytes=0))
        audit.append(session, LOCAL, "dataset.create", "dataset:reviews")
        if fail:
            raise RuntimeError


def test_an_event_says_who_what_on_what_from_where_in_which_request_and_when(audit: AuditLog) -> None:
    before = utc_now()
    caller = Caller(principal=ADA, ip="192.0.2.1", request_id="abc")
    assert audit.append_now(caller, "dataset.create", "dataset:reviews", "started", {"rows": 3}) == 1
    facts = ("id", "actor", "action", "resource", "outcome", "ip", "request_id", "previous_hash")
    assert columns(audit, *facts) == [
        (1, "ada", "dataset.create", "dataset:reviews", "started", "192.0.2.1", "abc", "0" * 64)
    ]
    (time,) = columns(audit, "time")
    written = datetime.fromisoformat(str(time))
    assert before <= (written if written.tzinfo else written.replace(tzinfo=UTC)) <= utc_now()


def test_ids_have_no_gap_where_a_transaction_was_dropped(audit: AuditLog) -> None:
    audit.append_now(LOCAL, "a.b", "c:d")
    with pytest.raises(RuntimeError):
        record_and_drop(audit)
    assert audit.append_now(LOCAL, "a.b", "c:e") == 2
    assert columns(audit, "resource") == ["c:d", "c:e"]


def test_several_events_of_one_transaction_follow_each_other(audit: AuditLog) -> None:
    with audit.database.write() as session:
        assert [audit.append(session, LOCAL, "a.b", f"c:{n}") for n in range(3)] == [1, 2, 3]
    chain = columns(audit, "previous_hash", "hash")
    assert [previous for previous, _ in chain] == ["0" * 64, chain[0][1], chain[1][1]]


def test_a_change_and_its_event_are_dropped_together(audit: AuditLog) -> None:
    create(audit, "first")
    with pytest.raises(RuntimeError):
        create(audit, "second", fail=True)
    assert (names(audit), columns(audit, "id")) == (["first"], [1])


@pytest.mark.parametrize("broken", ["events", "head", "row"])
def test_where_the_log_cannot_be_written_the_change_does_not_happen(audit: AuditLog, broken: str) -> None:
    audit.append_now(LOCAL, "a.b", "c:d")
    damage = {
        "events": "ALTER TABLE audit_events RENAME TO elsewhere",
        "head": "ALTER TABLE audit_head RENAME TO elsewhere",
        "row": "INSERT INTO audit_events SELECT 2, time, actor, action, resource, outcome, ip, request_id, details, "
        "previous_hash, hash FROM audit_events",
    }
    with audit.database.engine.begin() as connection:
        connection.execute(text(damage[broken]))
    with pytest.raises(AuditUnavailable) as caught:
        create(audit, "reviews")
    assert caught.value.code == "audit.unavailable"
    assert names(audit) == []


def test_where_a_checkpoint_is_due_and_cannot_be_written_the_change_does_not_happen(audit: AuditLog) -> None:
    audit.append_now(LOCAL, "a.b", "c:d")
    audit.checkpoints.path.parent.parent.mkdir(exist_ok=True)
    audit.checkpoints.path.parent.write_text("a file where a directory is needed")
    with pytest.raises(AuditUnavailable):
        create(audit, "reviews")
    assert names(audit) == []


def test_a_full_database_is_no_change_and_an_error_that_says_so(tmp_path: Path) -> None:
    audit = AuditLog(open_database(f"sqlite:///{tmp_path / 'small.db'}"), KEY, tmp_path)
    audit.append_now(LOCAL, "a.b", "c:d")
    with audit.database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()

    def record_much() -> None:
        with audit.database.write() as session:
            session.connection().exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")
            for number in range(1000):
                audit.append(session, LOCAL, "a.b", "c:d", details={"why": "x" * 900, "number": number})

    with pytest.raises(AuditUnavailable):
        record_much()
    assert columns(audit, "id") == [1]


def test_a_fault_of_the_change_itself_is_not_taken_for_one_of_the_log(audit: AuditLog) -> None:
    with pytest.raises(IntegrityError):
        create(audit, "reviews", "reviews")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET actor = 'eve' WHERE id = 1",
        "DELETE FROM audit_events WHERE id = 1",
        "INSERT INTO audit_events SELECT * FROM audit_events WHERE id = 1 ON CONFLICT (id) DO UPDATE SET actor = 'eve'",
    ],
)
def test_the_database_itself_refuses_to_change_or_delete_an_event(audit: AuditLog, statement: str) -> None:
    audit.append_now(LOCAL, "a.b", "c:d")
    with (
        pytest.raises(DBAPIError, match=r"append-only|duplicate|syntax"),
        audit.database.engine.begin() as connection,
    ):
        connection.execute(text(statement))
    assert columns(audit, "id", "actor") == [(1, "local:ada")]


def test_sqlite_refuses_to_replace_an_event(tmp_path: Path) -> None:
    audit = AuditLog(open_database(f"sqlite:///{tmp_path / 'a.db'}"), KEY, tmp_path)
    audit.append_now(LOCAL, "a.b", "c:d")
    with pytest.raises(IntegrityError, match="append-only"), audit.database.engine.begin() as connection:
        connection.execute(text("INSERT OR REPLACE INTO audit_events SELECT * FROM audit_events"))


def test_postgresql_refuses_to_empty_the_log(postgresql_url: str, tmp_path: Path) -> None:
    audit = AuditLog(open_database(postgresql_url), KEY, tmp_path)
    audit.append_now(LOCAL, "a.b", "c:d")
    with pytest.raises(DBAPIError, match="append-only"), audit.database.engine.begin() as connection:
        connection.execute(text("TRUNCATE audit_events"))


def test_what_no_database_keeps_is_written_out_and_the_chain_holds(
    audit: AuditLog, verify: Callable[[], list[Any]]
) -> None:
    strange = Caller(local_user="a\x00b\nc", ip="\ud800", request_id="\x1b[2J")
    details = {"n\x00me": ["\x00", "\udfff", "價目", "😀", 1.0, 1e300, -0.0, 2**70, None, True, ()], "when": utc_now()}
    audit.append_now(strange, "a.b", "c:\x00\ud83d", details=details)
    audit.append_now(strange, "a.b", "c:d", details={"set": {"b", "a"}})
    assert columns(audit, "actor") == ["local:a\\x00b\\nc"] * 2
    assert verify() == []


def test_a_refused_detail_is_no_change(audit: AuditLog) -> None:
    for details in ({"password": "x"}, {"loss": float("nan")}):
        with pytest.raises(ValueError, match=r"password|JSON"):
            audit.append_now(LOCAL, "a.b", "c:d", details=details)
    with pytest.raises(InvalidInput) as caught:
        audit.append_now(LOCAL, "a.b", "c:d", details={"names": ["x" * 100] * 1000})
    assert caught.value.code == "audit.too_large"
    assert columns(audit, "id") == []


def test_what_is_longer_than_its_column_is_cut(audit: AuditLog, verify: Callable[[], list[Any]]) -> None:
    long = Caller(local_user="é" * 1000, ip="i" * 1000, request_id="r" * 1000)
    audit.append_now(long, "a." + "b" * 1000, "c:" + "d" * 1000)
    lengths = [f"length({name})" for name in ("actor", "ip", "request_id", "action", "resource")]
    assert columns(audit, *lengths) == [(100, 64, 64, 60, 255)]
    assert verify() == []


def test_a_head_that_was_forged_is_not_built_upon(audit: AuditLog, fill: Callable[[int], None]) -> None:
    fill(3)
    with audit.database.engine.begin() as connection:
        connection.execute(text("UPDATE audit_head SET last_id = 2"))
    with pytest.raises(AuditUnavailable) as caught:
        create(audit, "reviews")
    assert caught.value.code == "audit.tampered"
    assert names(audit) == []


def test_a_head_that_was_removed_is_not_begun_anew(audit: AuditLog, fill: Callable[[int], None]) -> None:
    fill(3)
    with audit.database.engine.begin() as connection:
        connection.execute(text("DELETE FROM audit_head"))
    with pytest.raises(AuditUnavailable) as caught:
        audit.append_now(LOCAL, "a.b", "c:d")
    assert caught.value.code == "audit.tampered"

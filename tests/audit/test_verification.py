"""Whoever can write to the database cannot change the log unseen: each way of doing so is found, with its first id."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from app.db.repositories import audit as repository
from app.db.session import open_database
from app.monitor.audit_utils import GENESIS_HASH, event_hash
from app.services.audit_checkpoints import EVERY_EVENTS
from app.services.audit_verification import MAX_BEFORE_FIRST
from app.services.audit_verification import verify as verify_log
from app.services.auditing import AuditLog
from tests.audit.events import KEY, LOCAL, columns, record_and_drop

Faults = list[tuple[int | None, str]]
Verify = Callable[[], Faults]
Fill = Callable[[int], None]
Forge = Callable[..., None]
_COPY = "time, actor, action, resource, outcome, ip, request_id, details"


def test_a_log_nobody_touched_is_whole(audit: AuditLog, fill: Fill, verify: Verify) -> None:
    assert verify() == []
    fill(12)
    assert verify() == []
    found = verify_log(audit)
    assert (found.events, found.head_hash, found.first_bad_id) == (12, columns(audit, "hash")[-1], None)


def test_an_edited_event_is_found(audit: AuditLog, fill: Fill, forge: Forge, verify: Verify) -> None:
    fill(6)
    edits = {
        "actor": "eve",
        "action": "dataset.delete",
        "resource": "dataset:other",
        "outcome": "denied",
        "ip": "192.0.2.9",
        "request_id": "another",
        "details": '{"rows": 5}',
        "time": "2026-01-01 00:00:00.000000+00:00",
        "hash": "0" * 64,
        "previous_hash": "0" * 64,
    }
    for column, value in edits.items():
        before = columns(audit, f"CAST({column} AS TEXT)")[3]
        edit = f"UPDATE audit_events SET {column} = :value WHERE id = 4"
        if audit.database.engine.dialect.name == "postgresql":
            kind = {"details": "json", "time": "timestamptz"}.get(column, "text")
            edit = edit.replace(":value", f"CAST(:value AS {kind})")
        forge(edit, value=value)
        assert verify() == [(4, "event 4 was changed: its content does not have its hash")], column
        forge(edit, value=before)
        assert verify() == []


def test_an_edited_event_with_its_hash_put_right_is_found(
    audit: AuditLog, fill: Fill, forge: Forge, verify: Verify
) -> None:
    fill(6)
    rewrite(audit, forge, [4])
    assert verify()[0] == (5, "event 5 does not follow event 4: one of them was replaced")


def test_a_chain_rewritten_to_its_end_is_found_by_the_signed_head(
    audit: AuditLog, fill: Fill, forge: Forge, verify: Verify
) -> None:
    fill(6)
    rewrite(audit, forge, [4, 5, 6])
    assert verify() == [(6, "event 6 is not the one that was signed as the last: the log was rewritten")]


def test_a_chain_rewritten_with_its_head_is_found_by_the_missing_signature(
    audit: AuditLog, fill: Fill, forge: Forge, verify: Verify
) -> None:
    fill(6)
    rewrite(audit, forge, [4, 5, 6])
    forge("UPDATE audit_head SET last_hash = :hash", hash=columns(audit, "hash")[-1])
    ((first, what),) = verify()
    assert first == 7
    assert "head is not signed" in what


@pytest.mark.parametrize(("bad_id", "first"), [(1, 1), (3, 3)])
def test_a_deleted_event_is_found(fill: Fill, forge: Forge, verify: Verify, bad_id: int, first: int) -> None:
    fill(6)
    forge(f"DELETE FROM audit_events WHERE id = {bad_id}")
    assert verify() == [(first, f"event {bad_id} is missing")]


def test_a_deleted_event_is_found_where_the_others_moved_up(fill: Fill, forge: Forge, verify: Verify) -> None:
    fill(6)
    forge(
        "DELETE FROM audit_events WHERE id = 3",
        *(f"UPDATE audit_events SET id = {n - 1} WHERE id = {n}" for n in (4, 5, 6)),
    )
    assert verify()[0][0] == 3


def test_reordered_events_are_found(fill: Fill, forge: Forge, verify: Verify) -> None:
    fill(6)
    swap = [(3, 0), (4, 3), (0, 4)]
    forge(*(f"UPDATE audit_events SET id = {new} WHERE id = {old}" for old, new in swap))
    assert verify()[0][0] == 3


def test_an_inserted_event_is_found(audit: AuditLog, fill: Fill, forge: Forge, verify: Verify) -> None:
    fill(6)
    forge(
        "UPDATE audit_events SET id = 7 WHERE id = 6",
        "UPDATE audit_events SET id = 6 WHERE id = 5",
        f"INSERT INTO audit_events SELECT 5, {_COPY}, previous_hash, hash FROM audit_events WHERE id = 4",
    )
    assert verify()[0][0] == 5


def test_an_event_added_behind_the_head_is_found(audit: AuditLog, fill: Fill, forge: Forge, verify: Verify) -> None:
    fill(3)
    forge(f"INSERT INTO audit_events SELECT 4, {_COPY}, hash, hash FROM audit_events WHERE id = 3")
    rewrite(audit, forge, [4])
    assert verify() == [(4, "events after 3 were not recorded by this installation")]


@pytest.mark.parametrize("left", [0, 4])
def test_a_tail_that_was_cut_is_found(fill: Fill, forge: Forge, verify: Verify, left: int) -> None:
    fill(6)
    forge(f"DELETE FROM audit_events WHERE id > {left}")
    faults = verify()
    assert faults[0][0] == left + 1
    assert "missing" in faults[0][1]


def test_a_tail_that_was_cut_with_its_head_put_back_unsigned_is_found(
    audit: AuditLog, fill: Fill, forge: Forge, verify: Verify
) -> None:
    fill(6)
    hash_ = columns(audit, "hash")[3]
    forge("DELETE FROM audit_events WHERE id > 4", "UPDATE audit_head SET last_id = 4, last_hash = :hash", hash=hash_)
    assert verify()[0][0] == 5


def test_a_log_emptied_with_its_head_is_found(audit: AuditLog, fill: Fill, forge: Forge, verify: Verify) -> None:
    fill(6)
    audit.checkpoint()
    forge("DELETE FROM audit_events", "DELETE FROM audit_head")
    faults = verify()
    assert faults[0][0] == 1
    assert "events 1 to 6 are missing" in faults[0][1]


def test_a_head_that_was_changed_is_found(audit: AuditLog, fill: Fill, forge: Forge, verify: Verify) -> None:
    fill(3)
    with audit.database.read() as session:
        before = repository.head(session)
    put_back = "UPDATE audit_head SET last_id = :last_id, last_hash = :last_hash, signature = :signature"
    for change in ("last_id = 2", "last_hash = 'ff'", "signature = 'ff'", "signature = 'é'"):
        forge(f"UPDATE audit_head SET {change}")
        ((first, what),) = verify()
        assert first == 4
        assert "head is not signed" in what
        forge(put_back, **vars(before))
        assert verify() == []


def test_a_head_that_was_removed_is_found(fill: Fill, forge: Forge, verify: Verify) -> None:
    fill(3)
    forge("DELETE FROM audit_head")
    ((first, what),) = verify()
    assert first == 4
    assert "head is missing" in what


def test_an_event_that_cannot_be_read_is_found(tmp_path: Path) -> None:
    audit = AuditLog(open_database(f"sqlite:///{tmp_path / 'a.db'}"), KEY, tmp_path)
    for change, bad_id in (("time = 'soon'", 5), ("details = '{'", 3), ("actor = x'ff'", 2)):
        if not columns(audit, "id"):
            for _ in range(6):
                audit.append_now(LOCAL, "a.b", "c:d")
            with audit.database.engine.begin() as connection:
                connection.execute(text("DROP TRIGGER audit_events_no_update"))
        with audit.database.engine.begin() as connection:
            connection.execute(text(f"UPDATE audit_events SET {change} WHERE id = {bad_id}"))
        assert verify_log(audit).first_bad_id == bad_id


def test_a_state_put_back_to_an_older_one_is_found(audit: AuditLog, fill: Fill, forge: Forge, verify: Verify) -> None:
    fill(3)
    with audit.database.read() as session:
        old = repository.head(session)
    fill(4)
    audit.checkpoint()
    forge(
        "DELETE FROM audit_events WHERE id > 3",
        "UPDATE audit_head SET last_id = :last_id, last_hash = :last_hash, signature = :signature",
        **vars(old),
    )
    faults = verify()
    assert faults[0][0] == 4
    assert "put back to an older one" in faults[0][1]
    fill(10)
    faults = verify()
    assert faults[0][0] == 7
    assert "checkpoint" in faults[0][1]


def test_a_database_file_put_back_from_a_copy_is_found(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    audit = AuditLog(open_database(f"sqlite:///{path}"), KEY, tmp_path)
    audit.append_now(LOCAL, "a.b", "c:d")
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    for _ in range(EVERY_EVENTS + 2):
        audit.append_now(LOCAL, "a.b", "c:d")
    audit.database.engine.dispose()
    restored = AuditLog(open_database(f"sqlite:///{copy}"), KEY, tmp_path)
    found = verify_log(restored)
    assert (found.events, found.first_bad_id) == (1, 2)


def test_what_was_noted_elsewhere_must_still_be_there(audit: AuditLog, fill: Fill) -> None:
    fill(5)
    noted = columns(audit, "hash")[2]
    assert verify_log(audit, expected=(3, noted)).faults == ()
    assert verify_log(audit, expected=(4, noted)).first_bad_id == 4
    assert verify_log(audit, expected=(9, noted)).first_bad_id == 6


def test_a_checkpoint_falls_due_every_so_many_events_and_names_only_what_was_committed(
    audit: AuditLog, fill: Fill, verify: Verify
) -> None:
    fill(EVERY_EVENTS - 1)
    with pytest.raises(RuntimeError):
        record_and_drop(audit, 5)
    fill(EVERY_EVENTS + 5)
    marks = [json.loads(line)["id"] for line in audit.checkpoints.path.read_text().splitlines()]
    assert marks == [1, EVERY_EVENTS + 1, 2 * EVERY_EVENTS + 1]
    assert verify() == []


def test_a_checkpoint_that_was_changed_or_forged_is_found(audit: AuditLog, fill: Fill, verify: Verify) -> None:
    fill(3)
    path = audit.checkpoints.path
    line = path.read_text()
    path.write_text(line.replace('"id": 1', '"id": 2') + "{broken\n")
    assert [(first, what.partition("jsonl:")[2]) for first, what in verify()] == [
        (None, "1: damaged, or not signed here"),
        (None, "2: damaged, or not signed here"),
    ]


def test_a_file_of_checkpoints_that_was_removed_is_missed(audit: AuditLog, fill: Fill, verify: Verify) -> None:
    with audit.database.write() as session:
        for _ in range(MAX_BEFORE_FIRST + 1):
            audit.append(session, LOCAL, "a.b", "c:d")
    fill(2)
    audit.checkpoints.path.unlink()
    ((first, what),) = verify()
    assert first is None
    assert f"no checkpoint of the first {MAX_BEFORE_FIRST + 3} events" in what


def test_checkpoints_that_were_removed_leave_a_gap_in_their_numbers(
    audit: AuditLog, fill: Fill, verify: Verify
) -> None:
    for _ in range(4):
        fill(2)
        audit.checkpoint()
    path = audit.checkpoints.path
    lines = path.read_text().splitlines(keepends=True)
    assert verify() == []
    path.write_text("".join(lines[:2] + lines[3:]))
    assert verify() == [(None, f"{path}:3: checkpoint 4 follows checkpoint 2")]
    path.write_text("".join(lines[:2]))
    audit.checkpoint()
    assert verify() == [(None, f"{path}:3: checkpoint 6 follows checkpoint 2")]


def test_a_half_written_line_does_not_spoil_the_next_checkpoint(audit: AuditLog, fill: Fill, verify: Verify) -> None:
    fill(2)
    with audit.checkpoints.path.open("a") as file:
        file.write('{"id": 2, "ha')
    made = audit.checkpoint()
    assert made.id == 2
    assert len(verify()) == 1
    assert verify_log(audit).checkpoints == 2


def test_triggers_that_were_removed_are_missed(audit: AuditLog, fill: Fill, verify: Verify) -> None:
    fill(1)
    on_table = "" if audit.database.engine.dialect.name == "sqlite" else " ON audit_events"
    name = "audit_events_append_only" if on_table else "audit_events_no_delete"
    with audit.database.engine.begin() as connection:
        connection.execute(text(f"DROP TRIGGER {name}{on_table}"))
    assert verify() == [(None, "the triggers that refuse changes to events are missing from the database")]


def test_another_key_does_not_pass(audit: AuditLog, fill: Fill, tmp_path: Path) -> None:
    fill(3)
    stranger = AuditLog(audit.database, b"another key", tmp_path / "results")
    assert verify_log(stranger).first_bad_id == 4


def test_chunks_do_not_hide_a_fault_at_their_edge(
    audit: AuditLog, fill: Fill, forge: Forge, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.audit_verification.CHUNK", 3)
    fill(9)
    heard: list[tuple[int, int]] = []
    verify_log(audit, progress=lambda done, total: heard.append((done, total)))
    assert heard == [(3, 9), (6, 9), (9, 9)]
    forge("DELETE FROM audit_events WHERE id = 4")
    assert verify()[0][0] == 4


def test_a_log_that_is_being_written_is_checked_without_false_alarm(audit: AuditLog, fill: Fill) -> None:
    fill(5)

    def write_more(_done: int, _total: int) -> None:
        fill(EVERY_EVENTS)

    assert verify_log(audit, progress=write_more).faults == ()


def rewrite(audit: AuditLog, forge: Forge, ids: list[int]) -> None:
    """Forge the actor of events and chain them anew, as somebody would who knows the hash but not the key."""
    with audit.database.read() as session:
        chain = repository.chain_after(session, 0, 1000)
    by_id = {chained.event.id: chained for chained in chain}
    previous = by_id[min(ids) - 1].hash if min(ids) > 1 else GENESIS_HASH
    for event_id in ids:
        event = by_id[event_id].event
        object.__setattr__(event, "actor", "eve")
        new = event_hash(event, previous)
        forge(
            "UPDATE audit_events SET actor = 'eve', previous_hash = :previous, hash = :new WHERE id = :event_id",
            previous=previous,
            new=new,
            event_id=event_id,
        )
        previous = new

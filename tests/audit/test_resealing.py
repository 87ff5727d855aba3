"""After somebody has looked into a fault the log goes on, and what is wrong later shows as before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.audit import AuditFilter
from app.domain.errors import AuditUnavailable, Conflict
from app.services.audit_log import read_page, reseal
from app.services.audit_verification import verify as verify_log
from app.services.auditing import AuditLog
from tests.audit.events import LOCAL, columns

Fill = Callable[[int], None]
Forge = Callable[..., None]
Verify = Callable[[], list[Any]]

DAMAGE = {
    "edited": "UPDATE audit_events SET actor = 'eve' WHERE id IN (2, 4)",
    "deleted": "DELETE FROM audit_events WHERE id IN (2, 3, 5)",
    "cut": "DELETE FROM audit_events WHERE id > 3",
    "emptied": "DELETE FROM audit_events",
    "forged head": "UPDATE audit_head SET signature = 'ff'",
    "no head": "DELETE FROM audit_head",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_log_goes_on_and_says_why(audit: AuditLog, fill: Fill, forge: Forge, verify: Verify, damage: str) -> None:
    fill(6)
    audit.checkpoint()
    forge(DAMAGE[damage])
    assert verify() != []
    reseal(audit, LOCAL, "the disk was replaced")
    assert verify() == []
    (event,) = read_page(audit, LOCAL, AuditFilter(action="audit.reseal"), 10, None).items
    assert event.details["reason"] == "the disk was replaced"
    assert event.details["faults"]
    fill(3)
    assert verify() == []
    forge(f"UPDATE audit_events SET actor = 'eve' WHERE id = {event.id + 2}")
    assert verify()[0][0] == event.id + 2


def test_another_fault_before_the_seal_is_found(audit: AuditLog, fill: Fill, forge: Forge, verify: Verify) -> None:
    fill(6)
    forge("UPDATE audit_events SET actor = 'eve' WHERE id = 4")
    reseal(audit, LOCAL, "known")
    assert [fault.id for fault in verify_log(audit).accepted] == [4]
    forge("UPDATE audit_events SET actor = 'eve' WHERE id = 2")
    faults = verify()
    assert faults[0][0] == 2
    assert faults[-1] == (None, "what is wrong before event 7 is not what was accepted there")


def test_a_log_whose_key_was_lost_goes_on_with_another(audit: AuditLog, fill: Fill, tmp_path: Path) -> None:
    fill(4)
    other = AuditLog(audit.database, b"another key", tmp_path / "results")
    with pytest.raises(AuditUnavailable):
        other.append_now(LOCAL, "a.b", "c:d")
    reseal(other, LOCAL, "the key was lost")
    other.append_now(LOCAL, "a.b", "c:d")
    found = verify_log(other)
    assert (found.events, found.faults, found.accepted) == (6, (), ())
    put_aside = tmp_path / "results" / "audit" / "checkpoints-until-5.jsonl"
    assert put_aside.read_text().count("\n") == 1


def test_a_whole_log_is_not_resealed(audit: AuditLog, fill: Fill) -> None:
    fill(2)
    with pytest.raises(Conflict):
        reseal(audit, LOCAL, "no reason")
    assert len(columns(audit, "id")) == 2


def test_a_seal_without_the_key_is_none(audit: AuditLog, fill: Fill, forge: Forge, verify: Verify) -> None:
    fill(6)
    forge("UPDATE audit_events SET actor = 'eve' WHERE id = 4")
    line = audit.checkpoints.path.read_text()
    audit.checkpoints.path.write_text(line.replace('"seal": ""', '"seal": "00"'))
    assert 4 in [first for first, _ in verify()]

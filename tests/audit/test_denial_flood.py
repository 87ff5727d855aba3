"""A flood of denials is recorded as what it is, and does not fill the disk."""

import pytest

from app.domain.principal import Caller
from app.services.auditing import AuditLog
from app.services.denial_flood import (
    MANY,
    MAX_CALLERS,
    MAX_NAMED,
    ONE_BY_ONE_IN_ALL,
    ONE_BY_ONE_PER_CALLER,
    WINDOW_SECONDS,
    Denial,
    DenialFlood,
)
from tests.audit.events import columns


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def denial(ip: str = "192.0.2.1", resource: str = "task:1") -> Denial:
    return Denial(Caller(ip=ip), "access.denied", resource, {"code": "not_found"})


def test_the_first_denials_are_recorded_one_by_one_and_the_rest_as_a_number() -> None:
    clock = Clock()
    flood = DenialFlood(clock)
    recorded = [flood.admit(denial()) for _ in range(ONE_BY_ONE_PER_CALLER + 7)]
    assert recorded == [[denial()]] * ONE_BY_ONE_PER_CALLER + [[]] * 7
    assert flood.is_counting
    assert flood.ended() == []
    clock.now += WINDOW_SECONDS
    (summary,) = flood.ended()
    assert (summary.caller.ip, summary.resource) == ("192.0.2.1", "task:1")
    assert summary.details == {"repeated": 7, "resources": ["task:1"]}
    assert (flood.ended(), flood.is_counting) == ([], False)


def test_a_new_window_begins_with_how_often_the_last_one_repeated() -> None:
    clock = Clock()
    flood = DenialFlood(clock)
    for number in range(ONE_BY_ONE_PER_CALLER + 30):
        flood.admit(denial(resource=f"task:{number}"))
    clock.now += WINDOW_SECONDS
    summary, own = flood.admit(denial())
    assert own == denial()
    assert summary.resource == MANY
    assert summary.details["repeated"] == 30
    assert len(summary.details["resources"]) == MAX_NAMED


def test_one_caller_does_not_hide_another() -> None:
    flood = DenialFlood(Clock())
    for _ in range(50):
        flood.admit(denial())
    other = denial(ip="192.0.2.2")
    assert flood.admit(other) == [other]


def test_many_addresses_together_are_a_flood_too_and_memory_is_bounded() -> None:
    clock = Clock()
    flood = DenialFlood(clock)
    recorded = sum(len(flood.admit(denial(ip=f"2001:db8::{n:x}"))) for n in range(5000))
    assert recorded == MAX_CALLERS + ONE_BY_ONE_PER_CALLER
    clock.now += WINDOW_SECONDS
    summaries = flood.ended()
    assert len(summaries) <= MAX_CALLERS + 1
    assert recorded + sum(summary.details["repeated"] for summary in summaries) == 5000


def test_a_few_callers_share_what_is_recorded_one_by_one() -> None:
    flood = DenialFlood(Clock())
    callers = [denial(ip=f"192.0.2.{n}") for n in range(20)]
    recorded = sum(len(flood.admit(one)) for one in callers * ONE_BY_ONE_PER_CALLER)
    assert recorded == ONE_BY_ONE_IN_ALL < 20 * ONE_BY_ONE_PER_CALLER


def test_the_log_has_all_of_a_flood_when_the_process_ends(audit: AuditLog) -> None:
    for number in range(ONE_BY_ONE_PER_CALLER + 5):
        audit.deny(Caller(ip="192.0.2.1"), "access.denied", f"task:{number}", {"code": "not_found"})
    assert columns(audit, "outcome") == ["denied"] * ONE_BY_ONE_PER_CALLER
    audit.record_counted_denials()
    assert columns(audit, "resource")[-1] == MANY
    assert '"repeated": 5' in columns(audit, "CAST(details AS TEXT)")[-1]
    audit.record_counted_denials()
    assert len(columns(audit, "id")) == ONE_BY_ONE_PER_CALLER + 1


def test_what_was_counted_is_recorded_although_nobody_is_denied_anything_any_more(
    audit: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.auditing.WINDOW_SECONDS", 0.05)
    monkeypatch.setattr("app.services.denial_flood.WINDOW_SECONDS", 0.0)
    monkeypatch.setattr("app.services.denial_flood.ONE_BY_ONE_PER_CALLER", 0)
    audit.deny(Caller(ip="192.0.2.1"), "access.denied", "task:1")
    timer = audit._timer
    assert timer is not None
    timer.join(60)
    assert columns(audit, "resource", "outcome") == [("task:1", "denied")]

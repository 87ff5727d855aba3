"""The campaign's record would show what must never be: each of these is planted, and has to be seen."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.record import illegal, keep_record, read_audit, read_record
from tests.tasks.conftest import House, build_house


@pytest.fixture
def recorded(tmp_path: Path, reviews_store: Path, database_url: str) -> Iterator[House]:
    house = build_house(tmp_path, reviews_store, database_url=database_url)
    keep_record(house)
    yield house
    house.close()


def seen(house: House, task_id: str) -> list[str]:
    return list(illegal(read_record(house)[task_id], read_audit(house)[task_id]))


def test_an_ordinary_life_is_legal_step_by_step(recorded: House) -> None:
    house = recorded
    task_id = house.submit()
    assert house.work() == task_id
    states = [step.new_state for step in read_record(house)[task_id]]
    assert (states[0], states[1], states[-1]) == ("PENDING", "STARTED", "SUCCESS")
    assert seen(house, task_id) == []


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ({"state": "RETRY"}, "went from SUCCESS to RETRY"),
        ({"state": "STARTED", "token": "another"}, "went from SUCCESS to STARTED"),
        ({"state": "FAILURE"}, "went from SUCCESS to FAILURE"),
        ({"token": "another"}, "was taken on the step from SUCCESS to SUCCESS"),
        ({"attempt": 0}, "went from attempt 1 to 0"),
        ({"attempt": 2}, "became attempt 2 on the step from SUCCESS to SUCCESS"),
    ],
)
def test_what_must_not_happen_to_a_task_is_seen_even_where_it_is_undone_at_once(
    recorded: House, planted: dict[str, object], said: str
) -> None:
    house = recorded
    task_id = house.submit()
    house.work()
    before = house.task(task_id)
    house.change(task_id, **planted)
    house.change(task_id, **{name: getattr(before, name) for name in planted})
    assert said in seen(house, task_id)


def test_a_running_task_that_a_second_worker_takes_is_seen(recorded: House) -> None:
    house = recorded
    task_id = house.submit()
    house.change(task_id, state="STARTED", token="first", attempt=1)
    house.change(task_id, token="second", attempt=2)
    assert seen(house, task_id) == ["became attempt 2 on the step from STARTED to STARTED"]


def test_a_step_that_the_audit_log_does_not_have_is_seen(recorded: House) -> None:
    house = recorded
    task_id = house.submit()
    house.change(task_id, state="REVOKED")
    assert seen(house, task_id) == ["its record says ['submit', 'cancel'], the audit log ['submit']"]

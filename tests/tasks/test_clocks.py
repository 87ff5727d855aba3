"""Times that a machine with a wrong clock has left behind: nothing waits until they have come."""

from datetime import timedelta

from app.db.repositories import leases
from app.db.tables.base import utc_now
from app.services import sweeper
from tests.tasks.conftest import House

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def test_a_duty_that_was_done_in_the_future_is_due(house: House) -> None:
    from app.db.tables import LeaseRow

    with house.platform.installation.database.write() as session:
        session.add(LeaseRow(name="sweep", holder="ahead", expires_at=utc_now() + HOUR, done_at=utc_now() + HOUR))
    assert sweeper.sweep(house.platform)
    assert not sweeper.sweep(house.platform), "it was done just now"


def test_a_lease_that_ends_within_its_time_is_honoured(house: House) -> None:
    with house.platform.installation.database.write() as session:
        assert leases.take(session, "duty", "one", MINUTE, every=MINUTE)
        assert not leases.take(session, "duty", "two", MINUTE, every=MINUTE)


def test_an_attempt_put_off_by_a_clock_that_was_ahead_may_begin(house: House) -> None:
    task_id = house.submit()
    house.change(task_id, not_before=utc_now() + MINUTE)
    assert house.next_tasks() == []
    house.change(task_id, not_before=utc_now() + HOUR)
    assert house.next_tasks() == [task_id]


def test_a_message_that_was_sent_in_the_future_is_sent_again(house: House) -> None:
    class Counting:
        sent = 0

        def send(self, task_id: str, kind: object) -> None:
            self.sent += 1

    from dataclasses import replace

    task_id, queue = house.submit(), Counting()
    platform = replace(house.platform, queue=queue)
    house.change(task_id, enqueued_at=utc_now())
    assert sweeper.resend(platform) == 0
    house.change(task_id, enqueued_at=utc_now() + HOUR)
    assert (sweeper.resend(platform), queue.sent) == (1, 1)

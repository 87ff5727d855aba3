"""What runs and predictions take on the disk counts towards their owner's limit, until it is removed."""

import os
import time
from datetime import timedelta

import pytest

from app.db.repositories import stored_work
from app.db.tables import UserRow
from app.db.tables.base import utc_now
from app.domain.errors import QuotaExceeded
from app.domain.task import TaskKind
from app.runs.files import size_of
from app.runs.work import work_directory
from app.services import checkpoints, cleanup, experiments, submission, uploads
from app.services.recording import Claim, Recorder
from tests.tasks.conftest import House
from tests.tasks.test_checkpoint_cleanup import add_checkpoints


def kept(house: House, owner: str = "ada") -> int:
    with house.platform.installation.database.read() as session:
        return stored_work.bytes_of(session, owner)


def allow(house: House, more_bytes: int) -> None:
    """Let the account keep so much more than it does."""
    with house.platform.installation.database.write() as session:
        row = session.query(UserRow).filter_by(username="ada").one()
        row.max_stored_bytes = kept(house) + more_bytes


def test_a_run_takes_room_until_it_is_deleted(house: House) -> None:
    task_id = house.submit()
    assert house.work() == task_id
    run = house.run(task_id)
    assert 0 < kept(house) <= size_of(run.path)
    allow(house, -1)
    with pytest.raises(QuotaExceeded, match="of runs and predictions"):
        house.submit()
    with pytest.raises(QuotaExceeded):
        uploads.begin(house.platform, "ada", 10)
    experiments.delete(house.platform.installation, run.name)
    assert kept(house) == 0
    assert house.submit()


def test_checkpoints_take_room_as_soon_as_they_are_saved_and_none_when_they_are_pruned(house: House) -> None:
    house.mode("bad_data")
    task_id = house.submit()
    house.work()
    run, task = house.run(task_id), house.task(task_id)
    before = kept(house)
    add_checkpoints(house, run, task.experiment_id or 0)
    with run.events.open("a") as events:
        saved = '{"time": 1, "attempt": 1, "type": "checkpoint", "step": 40, "path": "step-000040", "size_bytes": 40}'
        events.write(saved + "\n")
    house.change(task_id, state="STARTED", token="a-token")
    claim = Claim(task_id, task.experiment_id, 1, "a-token")
    Recorder(house.platform.installation.database, run, claim).take_new()
    assert kept(house) == size_of(run.path) > before
    house.change(task_id, state="FAILURE", token=None)
    assert checkpoints.prune(run, ["last"], house.platform.installation.database) > 0
    assert kept(house) == size_of(run.path)


def test_predictions_take_room_until_they_expire(house: House) -> None:
    task_id = submission.submit_work(house.platform, house.caller(), TaskKind.PREDICT, {})
    folder = work_directory(house.results_dir, TaskKind.PREDICT, task_id).path
    folder.mkdir(parents=True)
    (folder / "labelled.csv").write_bytes(bytes(1000))
    house.change(task_id, state="SUCCESS", stored_bytes=1000, finished_at=utc_now() - timedelta(days=90))
    os.utime(folder, (then := time.time() - 90 * 86400, then))
    assert kept(house) == 1000
    cleanup.clean_up(house.platform)
    assert kept(house) == 0

"""Files that tasks were to read: gone with a task that was cancelled, and not promised again once they are gone."""

from pathlib import Path

import pytest

from app.db.repositories import datasets, tasks, uploads
from app.domain.errors import Conflict
from app.domain.task import TaskKind, TaskState
from app.schemas.datasets import AddForm
from app.schemas.tasks import Accepted
from app.services import data_set_intake, submission
from app.services import uploads as incoming
from tests.tasks.conftest import House, sweep_after_the_lease


def send(house: House, name: str = "sent", username: str = "ada") -> str:
    """Leave a file to a worker that is to become a data set of that name; the task's id."""
    upload = incoming.begin(house.platform, username, 100)
    file = incoming.Incoming(house.platform, upload, "file", "sent.csv")
    file.write(b"text,label\ngood,positive\nbad,negative\n")
    file.close()
    form, caller = AddForm(name=name), house.caller(username)
    _, answer = data_set_intake.add(house.platform, caller, upload, form, respond_async=True, stopped=lambda: False)
    assert isinstance(answer, Accepted)
    return answer.task_id


def directory_of(house: House, task_id: str) -> Path:
    payload = house.task(task_id).payload or {}
    return incoming.directory_of(house.platform.settings, payload["upload"])


def is_gone(house: House, task_id: str) -> bool:
    """Whether neither the files, nor their room, nor the name they were sent for are taken any more."""
    with house.platform.installation.database.read() as session:
        kept = uploads.bytes_of(session, "ada"), datasets.get(session, "sent")
    return kept == (0, None) and not directory_of(house, task_id).exists()


def refused(house: House, task_id: str) -> str:
    with pytest.raises(Conflict) as caught:
        submission.retry(house.platform, house.caller(), task_id)
    return caught.value.code


def test_a_cancelled_upload_that_waited_takes_no_room_and_no_name(house: House) -> None:
    task_id = send(house)
    assert not is_gone(house, task_id)
    submission.cancel(house.platform, house.caller(), task_id)
    assert house.task(task_id).state == "REVOKED"
    assert is_gone(house, task_id)
    assert refused(house, task_id) == "upload.gone"
    assert house.task(task_id).state == "REVOKED"
    send(house, username="bob")


def test_so_does_one_whose_worker_was_lost_after_it_was_cancelled(house: House) -> None:
    task_id = send(house)
    with house.platform.installation.database.write() as session:
        assert tasks.claim(session, task_id, token="old", pid=1, hostname="elsewhere")
    submission.cancel(house.platform, house.caller(), task_id)
    assert not is_gone(house, task_id), "whoever reads it stops first"
    assert sweep_after_the_lease(house) == [task_id]
    assert house.task(task_id).state == "REVOKED"
    assert is_gone(house, task_id)


def test_work_goes_on_only_while_its_file_is_there(house: House) -> None:
    task_id = send(house)
    payload = {"run": "r", "upload": (house.task(task_id).payload or {})["upload"]}
    predict = submission.submit_work(house.platform, house.caller(), TaskKind.PREDICT, payload)
    house.change(predict, state=TaskState.FAILURE)
    submission.retry(house.platform, house.caller(), predict)
    assert house.task(predict).state == "RETRY"
    house.change(predict, state=TaskState.FAILURE)
    incoming.discard(house.platform, payload["upload"])
    assert refused(house, predict) == "upload.gone"
    assert house.task(predict).state == "FAILURE"

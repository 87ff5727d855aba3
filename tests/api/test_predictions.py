"""Files to label over HTTP; that workers label them is tested where workers are."""

from collections.abc import Callable
from typing import Any

import pytest

from app.db.repositories import tasks, uploads
from app.domain.task import TaskKind
from app.runs.files import sha256_file
from app.runs.work import work_directory
from app.services.platform import Platform
from tests.api.conftest import Account, RecordingQueue
from tests.api_data import audited
from tests.api_runs import Runs

SignIn = Callable[..., Account]
FILE = b"id,text\n1,a fine day\n2,a cold soup\n"


@pytest.fixture
def runs(platform: Platform) -> Runs:
    return Runs(platform)


def form(run: str, **more: Any) -> dict[str, Any]:
    return {"files": {"file": ("days.csv", FILE)}, "data": {"run": run, **more}}


def test_a_file_is_accepted_once_and_kept_for_the_worker(
    sign_in: SignIn, runs: Runs, platform: Platform, queue: RecordingQueue
) -> None:
    user = sign_in()
    runs.add("good")
    keyed = {"headers": {"Idempotency-Key": "once"}}
    answers = [user.post("/predictions", **form("good", text_column="text"), **keyed) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    task_id = answers[0].json()["task_id"]
    assert queue.sent == [(task_id, TaskKind.PREDICT)]
    with platform.installation.database.read() as session:
        task = tasks.get(session, task_id)
        assert task is not None
        assert task.payload is not None
        assert uploads.awaited(session) == {task.payload["upload"]}
    assert (platform.settings.results_dir / task.payload["source"]).read_bytes() == FILE
    assert task.payload["text_column"] == "text"
    shown = user.get(f"/task/{task_id}").json()
    assert (shown["kind"], shown["status"], shown["result"]) == ("predict", "PENDING", None)


def test_what_cannot_be_predicted_is_refused_and_leaves_nothing(
    sign_in: SignIn, runs: Runs, platform: Platform
) -> None:
    user = sign_in()
    runs.add("running", state="STARTED")
    runs.add("private", owner="somebody")
    runs.add("good")
    wanted = {
        404: [form("unknown"), form("private")],
        409: [form("running")],
        422: [{"files": {"other": ("a.csv", FILE)}, "data": {"run": "good"}}, form("good", colour="red")],
    }
    for status, forms in wanted.items():
        for one in forms:
            answer = user.post("/predictions", **one)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), one
    assert sign_in("viewer").post("/predictions", **form("good")).status_code == 403
    assert list(platform.settings.uploads_dir.iterdir()) == []


def test_the_labelled_file_is_fetched_when_it_is_done(sign_in: SignIn, runs: Runs, platform: Platform) -> None:
    user = sign_in()
    runs.add("good")
    task_id = user.post("/predictions", **form("good")).json()["task_id"]
    assert user.get(f"/predictions/{task_id}").json()["code"] == "prediction.not_done"
    work = work_directory(platform.settings.results_dir, TaskKind.PREDICT, task_id)
    work.path.mkdir(parents=True)
    file = work.path / "predictions.csv"
    file.write_bytes(b"id,text,predicted_label\n1,a fine day,good\n")
    result = {
        "run": "good", "file": file.name, "bytes": file.stat().st_size, "sha256": sha256_file(file), "rows": 1,
        "without_label": 0, "labels": {"good": 1},
    }  # fmt: skip
    with platform.installation.database.write() as session:
        tasks.claim(session, task_id, token="t", pid=1, hostname="elsewhere")
        tasks.record_progress(session, task_id, "t", result=result, state="SUCCESS")
    answer = user.get(f"/predictions/{task_id}")
    assert answer.content == file.read_bytes()
    assert answer.headers["x-content-sha256"] == result["sha256"]
    assert "days-predictions.csv" in answer.headers["content-disposition"]
    assert user.get(f"/task/{task_id}").json()["result"]["labels"] == {"good": 1}
    assert [event.resource for event in audited(platform, "prediction.download")] == [f"task:{task_id}"]
    file.unlink()
    assert user.get(f"/predictions/{task_id}").json()["code"] == "prediction.gone"
    training = runs.add("other")
    assert user.get(f"/predictions/{training.task_id}").status_code == 404

"""One task over HTTP: where it stands, its log and its points, cancel and retry; lists of tasks."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db.repositories import tasks
from app.db.tables import TaskRow
from app.domain.audit import AuditFilter
from app.domain.principal import Caller
from app.domain.task import TaskKind, TaskState
from app.services import audit_log
from app.services.platform import Platform
from tests.api_runs import BEGAN, MadeRun, Runs

SignIn = Callable[..., TestClient]
UNKNOWN = "0b6cf0ee-7a3e-4f4e-9f5f-0f8d4c1f3a11"
PROMISED = {
    "task_id", "kind", "experiment", "status", "stage", "progress", "eta_seconds", "attempt", "metrics", "result",
    "error", "created_at", "started_at", "finished_at",
}  # fmt: skip


@pytest.fixture
def runs(platform: Platform) -> Runs:
    return Runs(platform)


def change(platform: Platform, task_id: str, **values: Any) -> None:
    with platform.installation.database.write() as session:
        for name, value in values.items():
            setattr(session.get_one(TaskRow, task_id), name, value)


def test_a_waiting_task_has_the_promised_shape(runs: Runs, sign_in: SignIn) -> None:
    run = runs.add("reviews-001", state="PENDING")
    body = sign_in("user").get(f"/task/{run.task_id}").json()
    assert body.keys() == PROMISED
    created_at = body.pop("created_at")
    assert created_at.endswith("Z")
    assert body == {
        "task_id": run.task_id, "kind": "train", "experiment": "reviews-001", "status": "PENDING", "stage": "queued",
        "progress": 0.0, "eta_seconds": None, "attempt": 0, "metrics": {}, "result": None, "error": None,
        "started_at": None, "finished_at": None,
    }  # fmt: skip


def test_a_running_task_tells_what_was_measured_last(platform: Platform, runs: Runs, sign_in: SignIn) -> None:
    run = runs.add("reviews-001", state="STARTED")
    runs.add_points(run, "step", range(1, 4), learning_rate=0.001, grad_norm=float("inf"))
    runs.add_points(run, "eval", range(3, 4), accuracy=0.8, epoch=0.5)
    change(platform, run.task_id, stage="training", progress=0.3, eta_seconds=12.5)
    body = sign_in("user").get(f"/task/{run.task_id}").json()
    assert (body["status"], body["stage"], body["progress"], body["eta_seconds"]) == ("STARTED", "training", 0.3, 12.5)
    assert body["metrics"] == {
        "step": 3, "loss": 0.25, "learning_rate": 0.001, "eval_accuracy": 0.8, "eval_loss": 0.25,
    }  # fmt: skip


def test_a_finished_task_names_its_run_and_where_its_files_are(runs: Runs, sign_in: SignIn) -> None:
    run = runs.add("reviews-001", accuracy=0.875)
    user = sign_in("user")
    body = user.get(f"/task/{run.task_id}").json()
    assert (body["status"], body["stage"], body["progress"]) == ("SUCCESS", "done", 1.0)
    artifacts = "/experiments/reviews-001/artifacts"
    assert body["result"] == {"run": "reviews-001", "accuracy": 0.875, "artifacts": artifacts}
    assert user.get(artifacts).status_code == 200


def test_a_failed_task_says_why(runs: Runs, sign_in: SignIn) -> None:
    run = runs.add("reviews-001", state="FAILURE")
    body = sign_in("user").get(f"/task/{run.task_id}").json()
    assert body["error"] == {"code": "run.diverged", "detail": "損失不是有限數", "retryable": False}
    assert body["result"] is None


def test_other_work_gives_what_it_gives(platform: Platform, sign_in: SignIn) -> None:
    with platform.installation.database.write() as session:
        task_id = tasks.create(session, TaskKind.PLAN, "user", payload={})
    change(platform, task_id, state="SUCCESS", result={"total_steps": 428})
    body = sign_in("user").get(f"/task/{task_id}").json()
    assert (body["kind"], body["experiment"], body["result"]) == ("plan", None, {"total_steps": 428})


def test_whoever_polls_gets_304_until_something_changes(platform: Platform, runs: Runs, sign_in: SignIn) -> None:
    run, user = runs.add("reviews-001", state="STARTED"), sign_in("user")
    etag = user.get(f"/task/{run.task_id}").headers["etag"]
    for sent in (etag, f'"other", W/{etag}', "*"):
        answer = user.get(f"/task/{run.task_id}", headers={"If-None-Match": sent})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    change(platform, run.task_id, progress=0.5)
    answer = user.get(f"/task/{run.task_id}", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.json()["progress"]) == (200, 0.5)


PATHS = ["", "/logs", "/metrics", "/events"]


def test_somebody_elses_task_is_as_unknown_as_none(runs: Runs, sign_in: SignIn, platform: Platform) -> None:
    run, other = runs.add("reviews-001"), sign_in("user", "other")
    for path in PATHS:
        theirs, none = (other.get(f"/task/{task_id}{path}") for task_id in (run.task_id, UNKNOWN))
        assert theirs.status_code == none.status_code == 404
        assert theirs.json()["detail"].replace(run.task_id, UNKNOWN) == none.json()["detail"]
    denied = audit_log.read_page(platform.audit, Caller(local_user="t"), AuditFilter(action="access.denied"), 10, None)
    assert [event.resource for event in denied.items] == [f"task:{run.task_id}"] * len(PATHS)
    assert sign_in("admin").get(f"/task/{run.task_id}").status_code == 200


def test_what_is_no_task_id_is_unknown(sign_in: SignIn) -> None:
    user = sign_in("user")
    for task_id in ["x", "%00", "..%2f..%2fetc", UNKNOWN.upper(), "é" * 300, "' OR 1=1 --"]:
        answer = user.get(f"/task/{task_id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_who_may_not_change_a_task(runs: Runs, sign_in: SignIn, client: TestClient) -> None:
    run = runs.add("reviews-001", owner="viewer", state="PENDING")
    viewer, other = sign_in("viewer"), sign_in("user", "other")
    for path in ("/cancel", "/retry"):
        assert viewer.post(f"/task/{run.task_id}{path}").status_code == 403
        assert other.post(f"/task/{run.task_id}{path}").status_code == 404
        assert client.post(f"/task/{run.task_id}{path}").status_code == 401


def test_a_waiting_task_is_cancelled_at_once_and_can_go_on(runs: Runs, sign_in: SignIn, queue: Any) -> None:
    run, user = runs.add("reviews-001", state="PENDING"), sign_in("user")
    answer = user.post(f"/task/{run.task_id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "REVOKED")
    again = user.post(f"/task/{run.task_id}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "task.ended")
    resumed = user.post(f"/task/{run.task_id}/retry")
    assert (resumed.status_code, resumed.json()["status"]) == (202, "RETRY")
    assert queue.sent == [(run.task_id, TaskKind.TRAIN)]


def test_a_running_task_is_asked_to_stop(platform: Platform, runs: Runs, sign_in: SignIn) -> None:
    run = runs.add("reviews-001", state="STARTED")
    answer = sign_in("user").post(f"/task/{run.task_id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "STARTED")
    with platform.installation.database.read() as session:
        assert session.get_one(TaskRow, run.task_id).cancel_requested_at is not None


@pytest.mark.parametrize("state", ["SUCCESS", "STARTED", "PENDING"])
def test_what_has_not_stopped_cannot_go_on(runs: Runs, sign_in: SignIn, state: str) -> None:
    run = runs.add("reviews-001", state=state)
    assert sign_in("user").post(f"/task/{run.task_id}/retry").status_code == 409


def test_a_log_that_is_not_there_yet_is_empty(runs: Runs, sign_in: SignIn) -> None:
    run, user = runs.add("reviews-001", state="PENDING"), sign_in("user")
    expected = {"text": "", "offset": 0, "next_offset": 0, "size_bytes": 0}
    assert user.get(f"/task/{run.task_id}/logs").json() == expected
    assert user.get(f"/task/{run.task_id}/logs?offset=-100").json() == expected


def test_a_log_is_read_while_it_is_written_and_no_character_is_cut(runs: Runs, sign_in: SignIn) -> None:
    run, user = runs.add("reviews-001", state="STARTED"), sign_in("user")
    text = "".join(f"第 {number} 步 loss=0.{number} 😀 é\n" for number in range(400))

    def write() -> None:
        content = text.encode()
        with run.directory.log.open("ab", buffering=0) as log:
            for start in range(0, len(content), 7):
                log.write(content[start : start + 7])

    writer = threading.Thread(target=write)
    writer.start()
    read, offset = "", 0
    while offset < len(text.encode()):
        piece = user.get(f"/task/{run.task_id}/logs?offset={offset}&limit=1001").json()
        assert (piece["offset"], piece["next_offset"]) == (offset, offset + len(piece["text"].encode()))
        read, offset = read + piece["text"], piece["next_offset"]
    writer.join()
    assert read == text
    assert "\N{REPLACEMENT CHARACTER}" not in read


def test_any_offset_gives_whole_characters(runs: Runs, sign_in: SignIn) -> None:
    run, user = runs.add("reviews-001", state="STARTED"), sign_in("user")
    content = "aé中😀z".encode() + "😀".encode()[:2]
    run.directory.log.write_bytes(content)
    for offset in (*range(len(content) + 3), *range(-len(content), 0)):
        piece = user.get(f"/task/{run.task_id}/logs?offset={offset}&limit=16").json()
        assert "\N{REPLACEMENT CHARACTER}" not in piece["text"]
        assert piece["text"] == content[piece["offset"] : piece["next_offset"]].decode()
        assert piece["size_bytes"] == len(content)
    tail = user.get(f"/task/{run.task_id}/logs?offset=-7&limit=16").json()
    assert tail["text"] == "😀z"


def test_bytes_that_are_no_text_end_a_log_all_the_same(runs: Runs, sign_in: SignIn) -> None:
    run, user = runs.add("reviews-001", state="FAILURE"), sign_in("user")
    run.directory.log.write_bytes(b"killed\n\xff\xfe\xf0\x9f")
    piece = user.get(f"/task/{run.task_id}/logs").json()
    assert piece["text"].startswith("killed\n\N{REPLACEMENT CHARACTER}")
    assert piece["next_offset"] == 11


def test_a_piece_of_a_log_that_cannot_be(runs: Runs, sign_in: SignIn) -> None:
    run, user = runs.add("reviews-001", state="STARTED"), sign_in("user")
    for query in ["offset=x", "limit=0", "limit=99999999", "offset=99999999999999999999"]:
        assert user.get(f"/task/{run.task_id}/logs?{query}").status_code == 422


def points(user: TestClient, run: MadeRun, query: str = "") -> dict[str, Any]:
    answer = user.get(f"/task/{run.task_id}/metrics?{query}")
    assert answer.status_code == 200
    return answer.json()


def test_points_by_kind_and_since_the_last_one(runs: Runs, sign_in: SignIn) -> None:
    run, user = runs.add("reviews-001", state="STARTED"), sign_in("user")
    assert points(user, run) == {"points": [], "last_id": 0, "matching": 0, "sampled": False}
    runs.add_points(run, "step", range(5), learning_rate=0.1)
    runs.add_points(run, "eval", range(4, 5), accuracy=0.5)
    everything = points(user, run)
    assert [point["kind"] for point in everything["points"]] == ["step"] * 5 + ["eval"]
    assert everything["points"][2]["values"] == {"loss": 1 / 3, "learning_rate": 0.1}
    assert [point["step"] for point in points(user, run, "kinds=eval")["points"]] == [4]
    assert points(user, run, f"since={everything['last_id']}")["points"] == []
    runs.add_points(run, "step", range(5, 6))
    newer = points(user, run, f"since={everything['last_id']}&kinds=step&kinds=eval")
    assert [point["step"] for point in newer["points"]] == [5]
    assert user.get(f"/task/{run.task_id}/metrics?kinds=other").status_code == 422


def test_many_points_are_thinned_out_evenly_and_rare_ones_stay(runs: Runs, sign_in: SignIn) -> None:
    run, user = runs.add("reviews-001", state="STARTED"), sign_in("user")
    runs.add_points(run, "step", range(1000))
    runs.add_points(run, "eval", range(0, 1000, 100))
    found = points(user, run, "max_points=60")
    assert (found["matching"], found["sampled"]) == (1010, True)
    steps = [point["step"] for point in found["points"] if point["kind"] == "step"]
    assert len(found["points"]) == 60
    assert len(steps) == 50
    assert (steps[0], steps[-1]) == (0, 999)
    gaps = {later - earlier for earlier, later in pairwise(steps)}
    assert gaps <= {20, 21}
    assert len(points(user, run, "max_points=1")["points"]) == 1


def listed(user: TestClient, query: str = "") -> list[str]:
    answer = user.get(f"/tasks?{query}")
    assert answer.status_code == 200, answer.text
    return [item["experiment"] for item in answer.json()["items"]]


def test_tasks_are_listed_newest_first_and_only_ones_own(platform: Platform, runs: Runs, sign_in: SignIn) -> None:
    for number, state in enumerate(["SUCCESS", "FAILURE", "PENDING"]):
        run = runs.add(f"a{number}", state=state)
        change(platform, run.task_id, created_at=run_time(number))
    runs.add("theirs", owner="other")
    runs.add("nobodys", owner=None)
    user = sign_in("user")
    assert listed(user) == ["a2", "a1", "a0"]
    assert listed(user, "state=FAILURE") == ["a1"]
    assert listed(user, "state=FAILURE&state=SUCCESS") == ["a1", "a0"]
    assert listed(user, "kind=plan") == []
    assert user.get("/tasks?all=true").status_code == 403
    assert set(listed(sign_in("admin"), "all=true")) == {"a0", "a1", "a2", "theirs", "nobodys"}
    assert listed(sign_in("admin")) == []


def run_time(number: int) -> datetime:
    return BEGAN + timedelta(minutes=number)


def test_pages_of_tasks_follow_each_other(runs: Runs, sign_in: SignIn) -> None:
    for number in range(5):
        runs.add(f"a{number}", state="PENDING")
    user, seen, cursor = sign_in("user"), [], ""
    while cursor is not None:
        page = user.get(f"/tasks?limit=2{cursor and f'&cursor={cursor}'}").json()
        assert page["total"] == 5
        seen += [item["experiment"] for item in page["items"]]
        cursor = page["next"]
    assert sorted(seen) == [f"a{number}" for number in range(5)]
    first = user.get("/tasks?limit=2").json()["next"]
    broken = user.get(f"/tasks?limit=2&state=PENDING&cursor={first}")
    assert (broken.status_code, broken.json()["code"]) == (422, "page.invalid")


def test_a_list_of_tasks_is_polled_with_its_etag(runs: Runs, sign_in: SignIn) -> None:
    runs.add("a", state="PENDING")
    user = sign_in("user")
    etag = user.get("/tasks").headers["etag"]
    assert user.get("/tasks", headers={"If-None-Match": etag}).status_code == 304
    runs.add("b", state="PENDING")
    assert user.get("/tasks", headers={"If-None-Match": etag}).status_code == 200


def test_a_list_of_tasks_that_cannot_be(sign_in: SignIn) -> None:
    user = sign_in("user")
    for query in ["state=DONE", "kind=other", "limit=0", "limit=501", "cursor=!", "all=perhaps"]:
        assert user.get(f"/tasks?{query}").status_code == 422


def test_states_are_the_six_words(runs: Runs, sign_in: SignIn) -> None:
    for state in TaskState:
        if state is not TaskState.RETRY:
            runs.add(f"run-{state.lower()}", state=state)
    found = {item["status"] for item in sign_in("user").get("/tasks").json()["items"]}
    assert found == set(TaskState) - {TaskState.RETRY}

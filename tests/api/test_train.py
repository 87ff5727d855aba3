"""POST /train, POST /plan and what checks a configuration: accepted once, or refused with all that is wrong."""

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db import session
from app.db.tables import ExperimentRow, TaskRow
from app.domain.task import TaskKind
from app.domain.train_config import TrainConfig
from app.services.platform import Platform

SignIn = Callable[..., TestClient]
CONFIG = {"experiment_name": "reviews", "data": {"train": "reviews@1"}, "training": {"max_steps": 4}}


@pytest.fixture
def user(platform: Platform, sign_in: SignIn, own_reviews: Callable[[Platform, str], None]) -> TestClient:
    """A user who owns `reviews@1`."""
    own_reviews(platform, "user")
    return sign_in("user")


def rows(platform: Platform) -> tuple[int, int]:
    """How many experiments and tasks there are."""
    with platform.installation.database.read() as reading:
        return reading.query(ExperimentRow).count(), reading.query(TaskRow).count()


def pointers(answer: Any) -> set[str]:
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return {place["pointer"] for place in answer.json()["errors"]}


def test_a_training_is_accepted_and_waits(platform: Platform, user: TestClient, queue: Any) -> None:
    answer = user.post("/train", json=CONFIG)
    assert answer.status_code == 202
    body = answer.json()
    assert body == {"task_id": body["task_id"], "experiment": "reviews-001", "status": "PENDING"}
    task = user.get(f"/task/{body['task_id']}").json()
    assert (task["status"], task["kind"], task["experiment"], task["attempt"]) == ("PENDING", "train", "reviews-001", 0)
    assert queue.sent == [(body["task_id"], TaskKind.TRAIN)]
    assert user.get("/experiments/reviews-001").json()["config"]["training"]["max_steps"] == 4


def test_a_run_may_be_named(user: TestClient) -> None:
    assert user.post("/train?name=first.try", json=CONFIG).json()["experiment"] == "first.try"
    answer = user.post("/train?name=first.try", json=CONFIG)
    assert (answer.status_code, answer.json()["code"]) == (409, "run.exists")
    assert user.post("/train?name=../x", json=CONFIG).status_code == 422


@pytest.mark.parametrize("priority", [1, 101, -101])
def test_only_administrators_jump_the_queue(user: TestClient, priority: int) -> None:
    assert user.post(f"/train?priority={priority}", json=CONFIG).status_code == 422
    assert user.post("/train?priority=-5", json=CONFIG).status_code == 202


def test_every_fault_is_told_at_once_with_its_pointer(platform: Platform, user: TestClient) -> None:
    body = {
        "experiment_name": "no spaces",
        "model": {"name": "https://example.org/model"},
        "lora": {"r": 0, "rank": 8, "lora_dropout": True},
        "data": {"train": "/etc/passwd", "eval": "hub:imdb"},
        "training": {"learning_rate": -1, "num_train_epochs": "many", "label_weights": {"a": 0}},
        "nonsense": 1,
    }
    answer = user.post("/train", json=body)
    assert pointers(answer) == {
        "/experiment_name",
        "/model/name",
        "/lora/r",
        "/lora/rank",
        "/lora/lora_dropout",
        "/data/train",
        "/data/eval",
        "/training/learning_rate",
        "/training/num_train_epochs",
        "/training/label_weights",
        "/nonsense",
    }
    assert answer.json()["code"] == "config.invalid"
    by_place = {place["pointer"]: place["detail"] for place in answer.json()["errors"]}
    assert "did you mean lora.r" in by_place["/lora/rank"]
    assert "NAME@VERSION" in by_place["/data/train"]
    assert rows(platform) == (0, 0)


def test_faults_of_the_data_are_told_when_nothing_else_is_wrong(user: TestClient) -> None:
    assert pointers(user.post("/train", json={})) == {"/data/train"}
    answer = user.post("/train", json=CONFIG | {"data": {"train": "reviews@2"}})
    assert pointers(answer) == {"/data/train"}
    both = {"train": "reviews@1", "eval": "reviews@1"}
    assert "data.eval is the same source" in user.post("/train", json=CONFIG | {"data": both}).json()["detail"]


def test_somebody_elses_data_is_as_unknown_as_none(sign_in: SignIn, user: TestClient) -> None:
    other = sign_in("user", "other")
    theirs = other.post("/train", json=CONFIG).json()
    unknown = other.post("/train", json=CONFIG | {"data": {"train": "nothing@1"}}).json()
    assert theirs["errors"][0]["detail"].replace("reviews", "X") == unknown["errors"][0]["detail"].replace(
        "nothing", "X"
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "NaN",
        "[" * 100_000,
        '{"a":' * 50_000,
        '{"data": {"train": "\\ud800"}}',
        "\xff",
    ],
    ids=[
        "nothing",
        "cut off",
        "list",
        "null",
        "text",
        "nan",
        "deep lists",
        "deep objects",
        "lone surrogate",
        "latin-1",
    ],
)
def test_a_body_that_is_no_configuration_is_refused(user: TestClient, content: str) -> None:
    answer = user.post("/train", content=content.encode("latin-1"), headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_values_nested_deeply_are_refused_at_once(user: TestClient) -> None:
    nested: Any = 1
    for _ in range(200):
        nested = {"a": nested}
    answer = user.post("/train", json={"data": nested})
    assert (answer.status_code, answer.json()["code"]) == (422, "config.invalid")


def test_a_viewer_trains_nothing_and_nobody_without_a_sign_in(sign_in: SignIn, client: TestClient) -> None:
    assert sign_in("viewer").post("/train", json=CONFIG).status_code == 403
    answer = client.post("/train", json=CONFIG)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_whoever_has_too_much_waiting_is_told_when_to_come_back(
    platform: Platform, sign_in: SignIn, user: TestClient
) -> None:
    assert sign_in("admin").patch("/users/user", json={"limits": {"max_queued": 1}}).status_code == 200
    assert user.post("/train", json=CONFIG).status_code == 202
    answer = user.post("/train", json=CONFIG)
    assert (answer.status_code, answer.json()["code"]) == (429, "quota.exceeded")
    assert int(answer.headers["retry-after"]) > 0
    assert rows(platform) == (1, 1)


def test_a_queue_that_is_down_loses_nothing(platform: Platform, user: TestClient, queue: Any) -> None:
    queue.is_down = True
    answer = user.post("/train", json=CONFIG)
    assert answer.status_code == 202
    assert user.get(f"/task/{answer.json()['task_id']}").json()["status"] == "PENDING"
    assert queue.sent == []


def test_a_database_that_stays_locked_is_busy_and_accepts_nothing(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, own_reviews: Callable[[Platform, str], None]
) -> None:
    monkeypatch.setattr(session, "BUSY_TIMEOUT_SECONDS", 0.2)
    platform, sign_in = request.getfixturevalue("platform"), request.getfixturevalue("sign_in")
    if platform.settings.database_url:
        pytest.skip("what is locked here is SQLite's file; tests/db has the same for PostgreSQL")
    own_reviews(platform, "user")
    user = sign_in("user")
    with sqlite3.connect(platform.settings.database_file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = user.post("/train", json=CONFIG, headers={"Idempotency-Key": "one"})
        assert (answer.status_code, answer.json()["code"]) == (503, "storage.busy")
        assert int(answer.headers["retry-after"]) > 0
        assert user.get("/tasks").json()["items"] == []
        other.execute("ROLLBACK")
    assert user.post("/train", json=CONFIG, headers={"Idempotency-Key": "one"}).status_code == 202
    assert rows(platform) == (1, 1)


def test_a_plan_is_a_task_without_an_experiment(user: TestClient, queue: Any) -> None:
    answer = user.post("/plan", json=CONFIG)
    assert answer.status_code == 202
    assert answer.json() == {"task_id": answer.json()["task_id"], "experiment": None, "status": "PENDING"}
    assert user.get(f"/task/{answer.json()['task_id']}").json()["kind"] == "plan"
    assert queue.sent == [(answer.json()["task_id"], TaskKind.PLAN)]
    assert pointers(user.post("/plan", json={"lora": {"r": -1}})) == {"/lora/r", "/data/train"}


def test_the_schema_is_the_configurations_own(sign_in: SignIn) -> None:
    assert sign_in("viewer").get("/config/schema").json() == TrainConfig.model_json_schema()


def test_a_configuration_is_checked_without_training(platform: Platform, user: TestClient) -> None:
    ineffective = CONFIG | {"training": {"max_steps": 4, "num_train_epochs": 3}}
    good = user.post("/config/validate", json=ineffective).json()
    assert (good["valid"], good["problems"]) == (True, [])
    assert good["warnings"] == ["training.num_train_epochs has no effect: training.max_steps decides"]
    assert good["config"]["lora"]["r"] == 8
    bad = user.post("/config/validate", json={"lora": {"r": -1}}).json()
    assert (bad["valid"], bad["config"]) == (False, None)
    assert {problem["pointer"] for problem in bad["problems"]} == {"/lora/r", "/data/train"}
    assert rows(platform) == (0, 0)


def test_text_in_any_script_comes_back_as_it_was_sent(user: TestClient) -> None:
    checked = user.post("/config/validate", json=CONFIG | {"data": {"train": "reviews@1", "text_column": "評論"}})
    assert "評論" in checked.content.decode()
    assert checked.json()["config"]["data"]["text_column"] == "評論"
    refused = user.post("/train", json=CONFIG | {"data": {"train": "評論@1"}})
    assert "評論@1" in refused.content.decode()
    assert pointers(refused) == {"/data/train"}

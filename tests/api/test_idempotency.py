"""Idempotency-Key: what is sent twice takes effect once, also at the same moment, also when the server died between."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from app.db.repositories import idempotency
from app.db.tables import IdempotencyRow, TaskRow
from app.db.tables.base import utc_now
from app.services import train_requests
from app.services.platform import Platform
from tests.api_server import PASSWORD, ApiServer

SignIn = Callable[..., TestClient]
CONFIG = {"experiment_name": "reviews", "data": {"train": "reviews@1"}}
KEY = {"Idempotency-Key": "one-and-only"}


@pytest.fixture
def user(platform: Platform, sign_in: SignIn, own_reviews: Callable[[Platform, str], None]) -> TestClient:
    """A user who owns `reviews@1`."""
    own_reviews(platform, "user")
    return sign_in("user")


def num_tasks(platform: Platform) -> int:
    with platform.installation.database.read() as session:
        return session.query(TaskRow).count()


def forget_the_answer(platform: Platform, *, age: timedelta = timedelta()) -> None:
    """As a server leaves it that dies before it has answered."""
    with platform.installation.database.write() as session:
        row = session.query(IdempotencyRow).one()
        row.status, row.body, row.created_at = None, None, utc_now() - age


def test_a_repeated_request_gets_the_first_answer(platform: Platform, user: TestClient) -> None:
    first, second = (user.post("/train", json=CONFIG, headers=KEY) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert num_tasks(platform) == 1


def test_other_keys_and_none_at_all_are_other_requests(platform: Platform, user: TestClient) -> None:
    for headers in (KEY, {"Idempotency-Key": "another"}, {}, {}):
        assert user.post("/train", json=CONFIG, headers=headers).status_code == 202
    assert num_tasks(platform) == 4


def test_a_key_is_of_one_request_alone(platform: Platform, user: TestClient) -> None:
    assert user.post("/train", json=CONFIG, headers=KEY).status_code == 202
    for answer in (
        user.post("/train", json=CONFIG | {"experiment_name": "other"}, headers=KEY),
        user.post("/train?name=other", json=CONFIG, headers=KEY),
        user.post("/plan", json=CONFIG, headers=KEY),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency.mismatch")
    assert num_tasks(platform) == 1


def test_a_key_is_of_one_account_alone(platform: Platform, user: TestClient, sign_in: SignIn) -> None:
    first = user.post("/train", json=CONFIG, headers=KEY).json()
    admin = sign_in("admin").post("/train", json=CONFIG, headers=KEY)
    assert admin.status_code == 202
    assert admin.json()["task_id"] != first["task_id"]


def test_a_request_that_failed_frees_its_key(platform: Platform, user: TestClient) -> None:
    wrong = CONFIG | {"data": {"train": "nothing@1"}}
    assert user.post("/train", json=wrong, headers=KEY).status_code == 422
    assert user.post("/train", json=CONFIG, headers=KEY).status_code == 202


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "鍵".encode(), "tab\t"])
def test_a_key_that_is_none(user: TestClient, key: str | bytes) -> None:
    assert user.post("/train", json=CONFIG, headers={"Idempotency-Key": key}).status_code == 422  # type: ignore[dict-item]


def test_a_server_that_died_after_the_effect_answers_as_it_would_have(platform: Platform, user: TestClient) -> None:
    first = user.post("/train", json=CONFIG, headers=KEY)
    forget_the_answer(platform)
    again = user.post("/train", json=CONFIG, headers=KEY)
    assert (again.status_code, again.json()) == (202, first.json())
    assert num_tasks(platform) == 1


@pytest.mark.parametrize("age", [timedelta(minutes=2), timedelta(hours=-1)], ids=["in time", "its clock was ahead"])
def test_a_server_that_died_before_the_effect_is_replaced_after_a_while(
    platform: Platform, user: TestClient, age: timedelta
) -> None:
    def add() -> None:
        with platform.installation.database.write() as session:
            session.query(IdempotencyRow).delete()
            assert idempotency.add(
                session, owner="user", key=KEY["Idempotency-Key"], request_sha256=sha256, request_id="died"
            )

    user.post("/train", json=CONFIG, headers=KEY)
    with platform.installation.database.read() as session:
        sha256 = session.query(IdempotencyRow).one().request_sha256
    add()
    early = user.post("/train", json=CONFIG, headers=KEY)
    assert (early.status_code, early.json()["code"]) == (409, "idempotency.in_progress")
    forget_the_answer(platform, age=age)
    assert user.post("/train", json=CONFIG, headers=KEY).status_code == 202
    assert num_tasks(platform) == 2


def test_an_effect_whose_answer_cannot_be_made_again_is_told(
    platform: Platform, user: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = user.post("/train", json=CONFIG, headers=KEY).json()
    forget_the_answer(platform, age=timedelta(minutes=2))
    monkeypatch.setattr(train_requests, "recover", lambda platform, effects: None)
    answer = user.post("/train", json=CONFIG, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency.interrupted")
    assert first["task_id"] in answer.json()["detail"]
    assert num_tasks(platform) == 1


def test_old_keys_are_forgotten(platform: Platform, user: TestClient) -> None:
    user.post("/train", json=CONFIG, headers=KEY)
    with platform.installation.database.write() as session:
        assert idempotency.forget_before(session, utc_now() - timedelta(hours=1)) == 0
        assert idempotency.forget_before(session, utc_now() + timedelta(hours=1)) == 1


def test_the_same_request_many_times_at_once_makes_one_task(
    api_server: ApiServer, own_reviews: Callable[[Platform, str], None]
) -> None:
    name = api_server.account()
    own_reviews(api_server.platform, name)
    tokens = httpx.post(f"{api_server.address}/login", json={"username": name, "password": PASSWORD}).json()
    headers = {**KEY, "Authorization": f"Bearer {tokens['access_token']}"}
    answers: list[Any] = []
    together = threading.Barrier(8)

    def send() -> None:
        together.wait()
        answers.append(httpx.post(f"{api_server.address}/train", json=CONFIG, headers=headers, timeout=60))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {202, 409}
    accepted = {answer.json()["task_id"] for answer in answers if answer.status_code == 202}
    assert len(accepted) == 1
    assert num_tasks(api_server.platform) == 1

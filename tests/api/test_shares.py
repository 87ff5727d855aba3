"""Who else may read a data set or an experiment."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.services import experiments
from app.services.platform import Platform
from tests.api_data import Store, audited
from tests.api_runs import Runs

SignIn = Callable[..., TestClient]
KINDS = ["datasets", "experiments"]
MAY = {"datasets": {"may_change"}, "experiments": {"may_change", "may_read_task", "may_read_data"}}


@pytest.fixture
def database_address(database_url: str) -> str:
    """Each test runs on SQLite and on PostgreSQL."""
    return database_url


@pytest.fixture(autouse=True)
def shared_things(platform: Platform) -> None:
    """A data set and an experiment of ada's, both called `reviews`."""
    Store(platform).put("reviews", "ada")
    Runs(platform).add("reviews", "ada")


def allowed(view: dict[str, Any]) -> set[str]:
    """What a view says whoever asks may do with it."""
    return {name for name, value in view.items() if name.startswith("may_") and value}


def noun(kind: str) -> str:
    return kind.removesuffix("s")


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_is_shared_with_one_account_and_taken_back(platform: Platform, sign_in: SignIn, kind: str) -> None:
    ada, bob, eve = sign_in("user", "ada"), sign_in("viewer", "bob"), sign_in("user", "eve")
    path = f"/{kind}/reviews"
    assert bob.get(path).status_code == 404
    made = ada.post(f"{path}/shares", json={"grantee": "bob"})
    assert made.status_code == 201, made.text
    assert (made.json()["grantee"], made.json()["created_by"]) == ("bob", "ada")
    assert ada.post(f"{path}/shares", json={"grantee": "bob"}).status_code == 200
    assert bob.get(path).status_code == 200
    assert allowed(bob.get(path).json()) == set()
    assert allowed(ada.get(path).json()) == MAY[kind]
    assert eve.get(path).status_code == 404
    listed = ada.get(f"{path}/shares").json()
    assert ([item["grantee"] for item in listed["items"]], listed["total"]) == (["bob"], 1)
    assert ada.delete(f"{path}/shares/bob").status_code == 204
    assert bob.get(path).status_code == 404
    assert ada.delete(f"{path}/shares/bob").status_code == 404
    for action in ("share", "unshare"):
        [event] = audited(platform, f"{noun(kind)}.{action}")
        assert (event.actor, event.resource, event.details) == ("ada", f"{noun(kind)}:reviews", {"grantee": "bob"})


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_is_shared_with_everyone(sign_in: SignIn, kind: str) -> None:
    ada, bob = sign_in("user", "ada"), sign_in("user", "bob")
    assert ada.post(f"/{kind}/reviews/shares", json={"grantee": "*"}).status_code == 201
    assert bob.get(f"/{kind}/reviews").status_code == 200
    assert ada.delete(f"/{kind}/reviews/shares/*").status_code == 204
    assert bob.get(f"/{kind}/reviews").status_code == 404


@pytest.mark.parametrize("kind", KINDS)
def test_readers_say_nothing_about_who_reads_and_strangers_learn_nothing(sign_in: SignIn, kind: str) -> None:
    ada, bob, eve = sign_in("user", "ada"), sign_in("user", "bob"), sign_in("user", "eve")
    shares = f"/{kind}/reviews/shares"
    ada.post(shares, json={"grantee": "bob"})
    for client, status in ((bob, 403), (eve, 404)):
        assert client.get(shares).status_code == status
        assert client.post(shares, json={"grantee": "eve"}).status_code == status
        assert client.delete(f"{shares}/bob").status_code == status
    unknown = eve.get(f"/{kind}/nothing/shares").json()["detail"]
    assert eve.get(shares).json()["detail"] == unknown.replace("nothing", "reviews")
    assert sign_in("admin").get(shares).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_an_administrator_shares_what_belongs_to_others(sign_in: SignIn, kind: str) -> None:
    sign_in("user", "ada")
    bob = sign_in("user", "bob")
    answer = sign_in("admin").post(f"/{kind}/reviews/shares", json={"grantee": "bob"})
    assert (answer.status_code, answer.json()["created_by"]) == (201, "admin")
    assert bob.get(f"/{kind}/reviews").status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"grantee": "nobody-here"}, 422),
        ({"grantee": "ada"}, 409),
        ({"grantee": ""}, 422),
        ({"grantee": "x" * 65}, 422),
        ({"grantee": "bob", "role": "admin"}, 422),
        ({}, 422),
    ],
)
def test_a_share_names_an_account_that_is_there_and_not_the_owner(
    sign_in: SignIn, body: dict[str, str], status: int
) -> None:
    ada = sign_in("user", "ada")
    sign_in("user", "bob")
    assert ada.post("/datasets/reviews/shares", json=body).status_code == status
    assert ada.get("/datasets/reviews/shares").json()["items"] == []


def test_a_viewer_shares_nothing(sign_in: SignIn) -> None:
    for kind in KINDS:
        assert sign_in("viewer").post(f"/{kind}/reviews/shares", json={"grantee": "*"}).status_code == 403


def test_a_share_sent_twice_with_one_key_gets_one_answer(sign_in: SignIn) -> None:
    ada = sign_in("user", "ada")
    answers = [
        ada.post("/datasets/reviews/shares", json={"grantee": "*"}, headers={"Idempotency-Key": "k"}) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


def test_a_share_of_one_kind_opens_nothing_of_the_other(sign_in: SignIn) -> None:
    ada, bob = sign_in("user", "ada"), sign_in("user", "bob")
    ada.post("/datasets/reviews/shares", json={"grantee": "bob"})
    assert bob.get("/experiments/reviews").status_code == 404


def test_a_large_body_for_a_share_is_refused_before_it_is_held(sign_in: SignIn) -> None:
    answer = sign_in("user", "ada").post("/datasets/reviews/shares", content=b"x" * 1_100_000)
    assert answer.status_code == 413


def test_an_experiment_that_is_deleted_on_the_command_line_takes_its_shares_along(
    platform: Platform, sign_in: SignIn
) -> None:
    ada, bob = sign_in("user", "ada"), sign_in("user", "bob")
    ada.post("/experiments/reviews/shares", json={"grantee": "bob"})
    experiments.delete(platform.installation, "reviews")
    Runs(platform).add("reviews", "ada")
    assert bob.get("/experiments/reviews").status_code == 404

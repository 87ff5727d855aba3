"""Labelled files sent over HTTP more than once with one key: worked on once, answered alike."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.data import catalogue
from app.db.tables import IdempotencyRow
from app.services import data_set_intake
from app.services.platform import Platform
from tests.api.conftest import RecordingQueue
from tests.api_data import as_csv, form, labelled_rows

SignIn = Callable[..., TestClient]


def test_a_request_sent_twice_with_one_key_makes_one_version(platform: Platform, sign_in: SignIn) -> None:
    ada = sign_in("user", "ada")
    sent = form(as_csv(labelled_rows()), name="reviews")
    first, again = (ada.post("/datasets", **sent, headers={"Idempotency-Key": "k1"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    other = ada.post("/datasets", **form(as_csv(labelled_rows(30)), name="reviews"), headers={"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.mismatch")
    assert len(catalogue.entries(platform.settings.results_dir, "reviews")) == 1


def test_a_task_is_submitted_once_for_one_key(sign_in: SignIn, queue: RecordingQueue) -> None:
    ada = sign_in("user", "ada")
    headers = {"Idempotency-Key": "k1", "Prefer": "respond-async"}
    sent = form(as_csv(labelled_rows()), name="reviews")
    first, again = (ada.post("/datasets", **sent, headers=headers).json() for _ in range(2))
    assert first == again
    assert len(queue.sent) == 1


def test_a_file_is_validated_once_for_one_key(platform: Platform, sign_in: SignIn, queue: RecordingQueue) -> None:
    ada = sign_in("user", "ada")
    sent = form(as_csv(labelled_rows()))
    for headers in ({"Prefer": "respond-async"}, {}):
        keyed = headers | {"Idempotency-Key": f"k{len(headers)}"}
        first, again = (ada.post("/datasets/validate", **sent, headers=keyed) for _ in range(2))
        assert (first.status_code, first.json()) == (again.status_code, again.json())
        assert again.headers["Idempotency-Replayed"] == "true"
    assert len(queue.sent) == 1


def test_while_a_request_is_answered_the_same_one_waits(
    platform: Platform, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, run = threading.Event(), threading.Event(), data_set_intake.data_work.run
    children: list[str] = []

    def wait(work: Any, *more: Any) -> Any:
        children.append(work.action)
        begun.set()
        assert go_on.wait(60)
        return run(work, *more)

    monkeypatch.setattr(data_set_intake.data_work, "run", wait)
    ada = sign_in("user", "ada")
    sent = form(as_csv(labelled_rows()), name="reviews") | {"headers": {"Idempotency-Key": "k1"}}
    first: list[Any] = []
    holder = threading.Thread(target=lambda: first.append(ada.post("/datasets", **sent)))
    holder.start()
    assert begun.wait(60)
    early = ada.post("/datasets", **sent)
    go_on.set()
    holder.join(60)
    assert (early.status_code, early.json()["code"]) == (409, "idempotency.in_progress")
    assert (first[0].status_code, children) == (201, ["add"])
    assert ada.post("/datasets", **sent).json() == first[0].json()


def test_what_was_interrupted_after_it_had_taken_effect_is_answered_when_it_is_sent_again_later(
    platform: Platform, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise RuntimeError("the process died here")

    ada = sign_in("user", "ada")
    sent = form(as_csv(labelled_rows()), name="reviews") | {"headers": {"Idempotency-Key": "k1"}}
    with monkeypatch.context() as patched:
        patched.setattr("app.services.idempotency._complete", die)
        assert ada.post("/datasets", **sent).status_code == 500
    assert ada.post("/datasets", **sent).json()["code"] == "idempotency.in_progress", "it might go on"
    with platform.installation.database.write() as session:
        session.query(IdempotencyRow).one().created_at -= timedelta(minutes=10)
    again = ada.post("/datasets", **sent)
    assert (again.status_code, again.json()["version"]) == (200, 1), again.text
    assert ada.post("/datasets", **sent).json() == again.json()

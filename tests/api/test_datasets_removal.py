"""Data sets that go: versions, whole names, and uploads that nobody comes back for."""

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.data import catalogue, versioning
from app.db.repositories import datasets, uploads
from app.db.tables import UploadRow
from app.db.tables.base import utc_now
from app.domain.principal import Caller
from app.services import data_set_intake
from app.services.platform import Platform
from app.services.uploads import begin, directory_of, remove_orphans
from tests.api_data import Store, as_csv, audited, form, labelled_rows
from tests.api_runs import Runs

SignIn = Callable[..., TestClient]


@pytest.fixture
def database_address(database_url: str) -> str:
    """Each test runs on SQLite and on PostgreSQL."""
    return database_url


@pytest.fixture
def store(platform: Platform) -> Store:
    return Store(platform)


def stored_bytes(platform: Platform, owner: str) -> int:
    with platform.installation.database.read() as session:
        return datasets.stored_bytes_of(session, owner)


def test_a_version_goes_and_its_room_is_given_back_but_not_its_number(
    platform: Platform, store: Store, sign_in: SignIn
) -> None:
    first = store.put("reviews", "ada")
    only_first = stored_bytes(platform, "ada")
    second = store.put("reviews", "ada", labelled_rows(600, "second"))
    assert stored_bytes(platform, "ada") > only_first
    ada = sign_in("user", "ada")
    assert ada.delete("/datasets/reviews/2").status_code == 204
    assert stored_bytes(platform, "ada") == only_first
    assert ada.get("/datasets/reviews/2").status_code == 404
    assert versioning.load(second.version, store.results_dir), "the content stays until gc"
    assert store.put("reviews", "ada", labelled_rows(40)).number == 3
    assert [item["reference"] for item in ada.get("/datasets/reviews").json()["versions"]] == ["reviews@1", "reviews@3"]
    assert catalogue.find(store.results_dir, "reviews@1").version == first.version
    assert [event.outcome for event in audited(platform, "dataset.delete")] == ["started", "success"]


def test_a_data_set_goes_with_its_shares_and_its_name_is_free(
    platform: Platform, store: Store, sign_in: SignIn
) -> None:
    store.put("reviews", "ada")
    ada, bob, admin = sign_in("user", "ada"), sign_in("user", "bob"), sign_in("admin")
    ada.post("/datasets/reviews/shares", json={"grantee": "*"})
    assert bob.get("/datasets/reviews").status_code == 200
    assert ada.delete("/datasets/reviews").status_code == 204
    assert ada.get("/datasets/reviews").status_code == 404
    assert stored_bytes(platform, "ada") == 0
    store.put("reviews", "bob", labelled_rows(30))
    assert ada.get("/datasets/reviews").status_code == 404, "whom it was shared with is forgotten"
    assert admin.get("/datasets/reviews").json()["owner"] == "bob"


def test_only_its_owner_and_administrators_delete_a_data_set(store: Store, sign_in: SignIn) -> None:
    store.put("reviews", "ada")
    store.put("reviews", "ada", labelled_rows(30))
    ada, bob, admin = sign_in("user", "ada"), sign_in("user", "bob"), sign_in("admin")
    for path in ("/datasets/reviews", "/datasets/reviews/1"):
        assert bob.delete(path).status_code == 404
    ada.post("/datasets/reviews/shares", json={"grantee": "bob"})
    for path in ("/datasets/reviews", "/datasets/reviews/1"):
        assert bob.delete(path).status_code == 403
        assert sign_in("viewer").delete(path).status_code == 403
    assert admin.delete("/datasets/reviews/1").status_code == 204
    assert admin.delete("/datasets/reviews").status_code == 204


@pytest.mark.parametrize("source", ["reviews@1", "reviews"])
def test_what_a_waiting_run_will_ask_for_stays_until_it_has_it(
    platform: Platform, store: Store, sign_in: SignIn, source: str
) -> None:
    store.put("reviews", "ada")
    run = Runs(platform).add("waiting-001", "ada", "PENDING", config={"data": {"train": source}})
    ada = sign_in("user", "ada")
    for path in ("/datasets/reviews/1", "/datasets/reviews"):
        answer = ada.delete(path)
        assert (answer.status_code, answer.json()["code"]) == (409, "dataset.in_use")
    assert catalogue.entries(store.results_dir, "reviews")
    run.directory.data_report.write_text("{}")  # the run has read it, and what it names is kept for it
    assert ada.delete("/datasets/reviews/1").status_code == 204


def test_a_name_is_not_forgotten_while_a_version_of_it_is_made(store: Store, sign_in: SignIn) -> None:
    store.put("reviews", "ada")
    ada = sign_in("user", "ada")
    sent = form(as_csv(labelled_rows(30)), name="reviews")
    assert ada.post("/datasets", **sent, headers={"Prefer": "respond-async"}).status_code == 202
    answer = ada.delete("/datasets/reviews")
    assert (answer.status_code, answer.json()["code"]) == (409, "dataset.in_use")


# ---- uploads that nobody comes back for ----


def _age(platform: Platform, upload_id: str, hours: float) -> None:
    """As if it had begun, and stopped, so long ago."""
    moment = time.time() - 3600 * hours
    directory = directory_of(platform.settings, upload_id)
    for path in (*directory.rglob("*"), directory):
        os.utime(path, (moment, moment))
    with platform.installation.database.write() as session:
        row = session.get(UploadRow, upload_id)
        if row is not None:
            row.created_at = utc_now() - timedelta(hours=hours)


def _left_behind(platform: Platform, owner: str, dataset: str) -> str:
    """An upload whose process died while it was checked."""
    upload = begin(platform, owner, 1000)
    (upload.directory / "rows.csv").write_bytes(b"text,label\n")
    with platform.installation.database.write() as session:
        datasets.claim(session, dataset, owner)
        uploads.change(session, upload.id, dataset=dataset, state=uploads.CHECKING)
    return upload.id


def test_what_a_dead_process_left_is_removed_and_the_name_it_was_for_is_free(
    platform: Platform, sign_in: SignIn
) -> None:
    sign_in("user", "ada")
    old, young = _left_behind(platform, "ada", "old"), _left_behind(platform, "ada", "young")
    stray = platform.settings.uploads_dir / "stray"
    stray.mkdir()
    _age(platform, old, hours=2)
    _age(platform, "stray", hours=2)
    assert remove_orphans(platform, timedelta(hours=1)) == 2
    assert [path.name for path in platform.settings.uploads_dir.iterdir()] == [young]
    with platform.installation.database.read() as session:
        assert uploads.all_ids(session) == {young}
        assert datasets.all_names(session) == ["young"]
        assert uploads.bytes_of(session, "ada") == 1000
    event, *others = audited(platform, "upload.expire")
    assert (event.resource, event.details["owner"]) == (f"upload:{old}", "ada")
    assert [(one.resource, one.outcome) for one in others] == [("upload:stray", "started"), ("upload:stray", "success")]
    assert remove_orphans(platform, timedelta(hours=1)) == 0


def test_what_is_still_written_to_or_awaited_by_a_task_stays(platform: Platform, sign_in: SignIn) -> None:
    ada = sign_in("user", "ada")
    sent = form(as_csv(labelled_rows()), name="reviews")
    assert ada.post("/datasets", **sent, headers={"Prefer": "respond-async"}).status_code == 202
    [queued] = platform.settings.uploads_dir.iterdir()
    _age(platform, queued.name, hours=48)
    slow = _left_behind(platform, "ada", "slow")
    _age(platform, slow, hours=48)
    Path(directory_of(platform.settings, slow) / "rows.csv").touch()
    assert remove_orphans(platform, timedelta(hours=1)) == 0
    assert {path.name for path in platform.settings.uploads_dir.iterdir()} == {queued.name, slow}


def test_a_task_whose_files_are_gone_says_so(platform: Platform) -> None:
    from app.domain.errors import NotFound

    payload = {"action": "add", "upload": "gone", "bytes": 1, "fields": {"name": "reviews"}, "shown_as": {}}
    with pytest.raises(NotFound) as caught:
        data_set_intake.run_task(platform, Caller(local_user="tests"), payload, lambda: False)
    assert caught.value.code == "upload.gone"

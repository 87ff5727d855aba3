"""The audit log over HTTP: for administrators, in pages, filtered, as a stream; reading it is recorded."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.domain.principal import Caller
from app.services import audit_log
from app.services.platform import Platform
from tests.api.conftest import PASSWORD
from tests.audit.events import past_the_triggers

SignIn = Callable[..., TestClient]
ADA = Caller(local_user="ada", ip="192.0.2.1", request_id="r-1")


@pytest.fixture
def admin(sign_in: SignIn) -> TestClient:
    return sign_in("admin")


def record(platform: Platform, count: int, action: str = "dataset.create") -> list[int]:
    """Events of one action; their ids."""
    return [platform.audit.append_now(ADA, action, f"dataset:d{n}", details={"rows": n}) for n in range(count)]


def logs(client: TestClient, **filters: Any) -> dict[str, Any]:
    answer = client.get("/audit/logs", params=filters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_item_is_what_the_contract_says(platform: Platform, admin: TestClient) -> None:
    (event_id,) = record(platform, 1)
    (item,) = logs(admin, action="dataset.create")["items"]
    assert item.pop("time").endswith("Z")
    assert item == {
        "id": event_id,
        "actor": "local:ada",
        "action": "dataset.create",
        "resource": "dataset:d0",
        "outcome": "success",
        "ip": "192.0.2.1",
        "request_id": "r-1",
        "details": {"rows": 0},
    }


def test_pages_go_from_the_newest_to_the_oldest_while_more_is_recorded(platform: Platform, admin: TestClient) -> None:
    ids = record(platform, 7)
    seen: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = logs(admin, action="dataset.create", limit=3, **cursor)
        seen += [item["id"] for item in page["items"]]
        record(platform, 2)
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == ids[::-1]


def test_total_counts_what_matches(platform: Platform, admin: TestClient) -> None:
    record(platform, 5)
    page = logs(admin, action="dataset.create", limit=2)
    assert (page["total"], len(page["items"])) == (5, 2)


def test_every_filter_filters(platform: Platform, admin: TestClient) -> None:
    record(platform, 3)
    platform.audit.append_now(ADA, "dataset.delete", "dataset:d1", "denied")
    (deleted,) = logs(admin, action="dataset.delete")["items"]
    assert [i["resource"] for i in logs(admin, resource="dataset:d1", actor="local:ada")["items"]] == ["dataset:d1"] * 2
    assert [i["id"] for i in logs(admin, outcome="denied", actor="local:ada")["items"]] == [deleted["id"]]
    assert len(logs(admin, action="dataset.*")["items"]) == 4
    assert logs(admin, action="data%")["items"] == []
    since = [i["id"] for i in logs(admin, since=deleted["time"], actor="local:ada")["items"]]
    until = [i["id"] for i in logs(admin, until=deleted["time"], action="dataset.*")["items"]]
    assert since == [deleted["id"]]
    assert len(until) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": "0"},
        {"limit": "501"},
        {"outcome": "maybe"},
        {"since": "soon"},
        {"since": "2026-01-01T00:00:00"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
        {"cursor": "damaged"},
        {"actor": ""},
        {"actor": "a" * 256},
    ],
)
def test_a_filter_that_means_nothing_is_a_clear_problem(admin: TestClient, wrong: dict[str, str]) -> None:
    answer = admin.get("/audit/logs", params=wrong)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_cursor_of_another_filter_is_refused(platform: Platform, admin: TestClient) -> None:
    record(platform, 3)
    cursor = logs(admin, action="dataset.create", limit=1)["next"]
    answer = admin.get("/audit/logs", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "page.invalid")


def test_reading_exporting_and_checking_are_recorded_with_who_and_from_where(admin: TestClient) -> None:
    first = admin.get("/audit/logs", params={"actor": "nobody"})
    admin.get("/audit/export", params={"outcome": "denied"})
    admin.get("/audit/verify")
    found = logs(admin, action="audit.*")["items"]
    assert [(i["action"], i["actor"], i["outcome"]) for i in found] == [
        ("audit.verify", "admin", "success"),
        ("audit.export", "admin", "success"),
        ("audit.read", "admin", "success"),
    ]
    assert found[2]["details"] == {"actor": "nobody", "items": 0}
    assert found[2]["request_id"] == first.headers["x-request-id"]
    assert found[2]["ip"]


def test_export_streams_all_of_it(platform: Platform, admin: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "CHUNK", 2)
    ids = record(platform, 5)
    with admin.stream("GET", "/audit/export", params={"action": "dataset.create"}) as answer:
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        events = [json.loads(line) for line in answer.iter_lines()]
    assert [event["id"] for event in events] == ids
    table = admin.get("/audit/export", params={"action": "dataset.create", "format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.splitlines()[0] == ",".join(audit_log.COLUMNS)
    assert len(table.text.splitlines()) == 6


def test_verify_says_whether_the_log_is_whole(platform: Platform, admin: TestClient) -> None:
    ids = record(platform, 3)
    found = admin.get("/audit/verify").json()
    assert (found["ok"], found["first_bad_id"], found["faults"]) == (True, None, [])
    past_the_triggers(platform.audit.database, f"UPDATE audit_events SET actor = 'eve' WHERE id = {ids[1]}")
    found = admin.get("/audit/verify").json()
    assert (found["ok"], found["first_bad_id"]) == (False, ids[1])


def test_a_forged_head_is_told_although_nothing_can_be_recorded_any_more(platform: Platform, admin: TestClient) -> None:
    past_the_triggers(platform.audit.database, "UPDATE audit_head SET signature = 'ff'")
    assert admin.get("/audit/verify").json()["ok"] is False
    for path in ("/audit/logs", "/audit/export"):
        answer = admin.get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "audit.tampered")
        assert "retry-after" in answer.headers


def test_only_one_check_runs_at_a_time(admin: TestClient) -> None:
    with audit_log._verifying:
        answer = admin.get("/audit/verify")
    assert (answer.status_code, answer.json()["code"]) == (409, "audit.busy")
    assert admin.get("/audit/verify").status_code == 200


def test_where_the_log_cannot_be_written_nothing_changes_and_nobody_signs_in(
    platform: Platform, admin: TestClient, client: TestClient
) -> None:
    past_the_triggers(platform.audit.database, "ALTER TABLE audit_head RENAME TO elsewhere")
    asked = {"username": "eve", "password": "seven lanterns on the quay"}
    for answer in (
        admin.post("/users", json=asked),
        admin.post("/me/api-keys", json={"name": "nightly"}),
        client.post("/login", json={"username": "admin", "password": PASSWORD}),
        admin.get("/audit/logs"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "audit.unavailable")
        assert "retry-after" in answer.headers
    assert admin.get("/users/eve").status_code == 404
    assert admin.get("/me/api-keys").json()["items"] == []
    assert len(admin.get("/me/sessions").json()["items"]) == 1
    past_the_triggers(platform.audit.database, "ALTER TABLE elsewhere RENAME TO audit_head")
    assert admin.post("/users", json=asked).status_code == 201
    assert admin.get("/audit/verify").json()["ok"] is True

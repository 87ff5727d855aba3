"""Experiments over HTTP: lists filtered, sorted and paged, one in full, several compared, given away, deleted."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db.tables import ExperimentRow, ShareRow, TaskRow
from app.domain.audit import AuditFilter
from app.domain.principal import Caller
from app.runs.lock import run_lock
from app.services import audit_log
from app.services.platform import Platform
from tests.api_runs import Runs

SignIn = Callable[..., TestClient]


@pytest.fixture
def runs(platform: Platform) -> Runs:
    return Runs(platform)


@pytest.fixture
def four(runs: Runs) -> Runs:
    """a to d, oldest first: accuracies 0.95, 0.85, none (it failed), 0.75."""
    for name, accuracy in {"a": 0.95, "b": 0.85, "c": None, "d": 0.75}.items():
        if accuracy is None:
            runs.add(name, state="FAILURE", data_name="標籤")
        else:
            runs.add(name, accuracy=accuracy)
    return runs


def names(client: TestClient, path: str = "/me/experiments", **query: Any) -> str:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return "".join(item["name"] for item in answer.json()["items"])


def audited(platform: Platform, action: str) -> list[tuple[str, str, dict[str, Any]]]:
    found = audit_log.read_page(platform.audit, Caller(local_user="t"), AuditFilter(action=action), 100, None)
    return [(event.actor, event.resource, event.details) for event in found.items]


def test_a_line_of_a_list_has_what_is_promised(four: Runs, sign_in: SignIn) -> None:
    page = sign_in("user").get("/me/experiments").json()
    assert (page["total"], page["next"]) == (4, None)
    failed = page["items"][1]
    promised = {"name", "state", "created_at", "base_model", "dataset", "accuracy", "runtime_seconds"}
    assert promised <= failed.keys()
    assert (failed["name"], failed["state"], failed["accuracy"], failed["dataset"]) == ("c", "FAILURE", None, "標籤")
    assert failed["error"] == {"code": "run.diverged", "detail": "損失不是有限數", "retryable": False}
    assert failed["created_at"] == "2026-01-31T15:00:00Z"


LISTS: list[tuple[dict[str, str], str]] = [
    ({}, "dcba"),
    ({"sort": "accuracy"}, "dbac"),
    ({"sort": "-accuracy"}, "abdc"),
    ({"sort": "state,-name"}, "cdba"),
    ({"where": "accuracy > 0.8", "sort": "name"}, "ab"),
    ({"where": "accuracy > 0.8 and state = SUCCESS and name != a"}, "b"),
    ({"where": "state = FAILURE or accuracy < 0.8", "sort": "name"}, "cd"),
    ({"where": "not (state = SUCCESS)"}, "c"),
    ({"where": "dataset ~ 標"}, "c"),
    ({"where": "dataset = '標籤' and created_at > 2020-01-01"}, "c"),
    ({"where": "accuracy > 0.99"}, ""),
    ({"where": "name ~ '%'"}, ""),
]


def test_lists_are_filtered_sorted_and_paged(four: Runs, sign_in: SignIn) -> None:
    user = sign_in("user")
    for query, expected in LISTS:
        assert names(user, **query) == expected, query
        seen, cursor = "", None
        for _ in range(max(1, len(expected))):
            params = {**query, "limit": 1, **({"cursor": cursor} if cursor else {})}
            page = user.get("/me/experiments", params=params).json()
            assert page["total"] == len(expected)
            seen, cursor = seen + "".join(item["name"] for item in page["items"]), page["next"]
        assert (seen, cursor) == (expected, None), query


def test_a_cursor_belongs_to_its_list(four: Runs, sign_in: SignIn) -> None:
    user = sign_in("user")
    cursor = user.get("/me/experiments?limit=1").json()["next"]
    for query in (
        {"cursor": cursor, "sort": "name"},
        {"cursor": cursor, "where": "name = a"},
        {"cursor": cursor[:-4]},
        {"cursor": "x" * 5000},
        {"cursor": "bnVsbA"},
        {"cursor": ""},
    ):
        answer = user.get("/me/experiments", params=query)
        if query["cursor"]:
            assert (answer.status_code, answer.json()["code"]) == (422, "page.invalid")
    admin = sign_in("admin").get("/experiments", params={"cursor": cursor})
    assert (admin.status_code, admin.json()["code"]) == (422, "page.invalid")


NO_LISTS: list[dict[str, str]] = [
    {"where": "accuracy >"},
    {"where": "password = x"},
    {"where": "1=1; drop table users"},
    {"where": "(" * 100},
    {"where": "name = x" * 1000},
    {"sort": "password"},
    {"sort": "name," * 30 + "name"},
    {"limit": "0"},
    {"limit": "501"},
]


def test_a_list_that_cannot_be(sign_in: SignIn) -> None:
    user = sign_in("user")
    for query in NO_LISTS:
        answer = user.get("/me/experiments", params=query)
        assert answer.status_code == 422, query
        assert answer.json()["code"] in ("filter.invalid", "request.invalid")


def test_ones_own_list_has_what_is_shared_and_nothing_else(four: Runs, sign_in: SignIn) -> None:
    four.add("e", owner="other")
    four.add("f", owner="other")
    four.add("g", owner=None)
    four.share("e", "user")
    four.share("a", "*")
    user, other, admin = sign_in("user"), sign_in("user", "other"), sign_in("admin")
    assert names(user) == "edcba"
    assert names(user, sort="-accuracy", where="name >= a") == "aebdc"
    assert names(other) == "fea"
    assert names(admin, "/experiments") == "gfedcba"
    assert names(admin) == "a"
    assert user.get("/experiments").status_code == 403


def test_lists_are_polled_with_their_etag(four: Runs, sign_in: SignIn, platform: Platform) -> None:
    user = sign_in("user")
    etag = user.get("/me/experiments").headers["etag"]
    assert user.get("/me/experiments", headers={"If-None-Match": etag}).status_code == 304
    four.add("e", state="PENDING")
    assert user.get("/me/experiments", headers={"If-None-Match": etag}).status_code == 200


def test_one_in_full(four: Runs, sign_in: SignIn) -> None:
    view = sign_in("user").get("/experiments/a").json()
    assert view["config"]["lora"] == {"r": 8}
    assert view["lineage"] == {"data_version": "a" * 64, "seed": 1, "code_revision": None, "libraries": {}}
    assert view["metrics"]["eval"]["accuracy"] == 0.95
    assert (view["task"]["attempt"], view["checkpoints"], view["plan"]) == (1, [], None)
    assert "dir" not in view


def test_the_points_of_a_shared_run_may_be_read_by_those_it_is_shared_with(four: Runs, sign_in: SignIn) -> None:
    run = four.add("e", state="STARTED")
    four.add_points(run, "step", range(3))
    four.share("e", "other")
    other = sign_in("user", "other")
    found = other.get("/experiments/e/metrics", params={"max_points": 2}).json()
    assert ([point["step"] for point in found["points"]], found["sampled"]) == ([0, 2], True)
    first = other.get("/experiments/e/metrics", params={"max_points": 2, "thin": False}).json()
    assert [point["step"] for point in first["points"]] == [0, 1]
    rest = other.get("/experiments/e/metrics", params={"since": first["last_id"]}).json()
    assert [point["step"] for point in rest["points"]] == [2]
    assert other.get(f"/task/{run.task_id}/metrics").status_code == 404


def test_several_side_by_side(four: Runs, sign_in: SignIn) -> None:
    user = sign_in("user")
    found = user.get("/experiments/compare", params={"names": ["b", "a"]}).json()
    assert found["runs"] == ["b", "a"]
    assert found["metrics"]["eval.accuracy"] == [0.85, 0.95]
    assert found["config"] == {}
    assert user.get("/experiments/compare", params={"names": ["a", "a"]}).status_code == 422
    assert user.get("/experiments/compare?names=a").status_code == 422
    assert user.get("/experiments/compare", params={"names": ["a", "zzz"]}).status_code == 404


READS = ["", "/metrics", "/artifacts", "/artifacts/metrics.json", "/archive", "/report", "/deletion"]


def test_somebody_elses_experiment_is_as_unknown_as_none(four: Runs, sign_in: SignIn) -> None:
    other = sign_in("user", "other")
    for path in READS:
        theirs, none = other.get(f"/experiments/a{path}"), other.get(f"/experiments/zzz{path}")
        assert theirs.status_code == none.status_code == 404
        assert theirs.json()["detail"].replace("'a'", "'zzz'") == none.json()["detail"]
    compared = other.get("/experiments/compare", params={"names": ["a", "b"]})
    assert compared.status_code == 404


def test_what_is_no_name_is_unknown(sign_in: SignIn) -> None:
    user = sign_in("user")
    for name in ["%00", "..", "..%2f..%2fetc%2fpasswd", "a%0a", "é", "x" * 5000, "a'--"]:
        assert user.get(f"/experiments/{name}").status_code == 404, name


def test_deleting_takes_two_steps(platform: Platform, four: Runs, sign_in: SignIn) -> None:
    user = sign_in("user")
    four.share("a", "bob")
    directory = platform.installation.results_dir / "a"
    said = user.get("/experiments/a/deletion").json()
    assert (said["name"], said["shared_with"], said["confirm"]) == ("a", ["bob"], "a")
    assert said["size_bytes"] == sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    for wrong in ("", "?confirm=b", "?confirm="):
        answer = user.delete(f"/experiments/a{wrong}")
        assert (answer.status_code, answer.json()["code"]) == (422, "confirm.missing")
    assert directory.is_dir()
    assert user.delete(f"/experiments/a?confirm={said['confirm']}").status_code == 204
    assert not directory.exists()
    assert user.get("/experiments/a").status_code == 404
    with platform.installation.database.read() as session:
        assert session.query(ShareRow).count() == 0
        assert (session.query(ExperimentRow).count(), session.query(TaskRow).count()) == (3, 3)
    assert audited(platform, "experiment.delete") == [("user", "experiment:a", {"owner": "user"})]


@pytest.mark.parametrize("state", ["PENDING", "STARTED"])
def test_what_has_not_ended_is_not_deleted(runs: Runs, sign_in: SignIn, state: str) -> None:
    runs.add("a", state=state)
    user = sign_in("user")
    for answer in (user.get("/experiments/a/deletion"), user.delete("/experiments/a?confirm=a")):
        assert (answer.status_code, answer.json()["code"]) == (409, "run.locked")
    assert user.get("/experiments/a").status_code == 200


def test_what_is_being_written_is_not_deleted(runs: Runs, sign_in: SignIn) -> None:
    run = runs.add("a")
    with run_lock(run.directory):
        assert sign_in("user").delete("/experiments/a?confirm=a").status_code == 409
    assert run.directory.path.is_dir()


def test_a_deletion_that_cannot_be_recorded_does_not_happen(
    platform: Platform, runs: Runs, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.domain.errors import AuditUnavailable

    run, user = runs.add("a"), sign_in("user")

    def fail(*_arguments: object, **_named: object) -> int:
        raise AuditUnavailable("the audit log cannot be written")

    monkeypatch.setattr(platform.audit, "append", fail)
    assert user.delete("/experiments/a?confirm=a").status_code == 503
    assert run.directory.receipt.is_file()
    assert user.get("/experiments/a").status_code == 200


def test_what_is_shared_may_be_read_and_not_changed(four: Runs, sign_in: SignIn) -> None:
    four.share("a", "other")
    other = sign_in("user", "other")
    assert other.get("/experiments/a").status_code == 200
    assert other.get("/experiments/a/artifacts").status_code == 200
    assert other.get("/experiments/a/deletion").status_code == 403
    assert other.delete("/experiments/a?confirm=a").status_code == 403


def test_a_viewer_deletes_nothing(runs: Runs, sign_in: SignIn) -> None:
    runs.add("a", owner="viewer")
    viewer = sign_in("viewer")
    assert viewer.get("/experiments/a").status_code == 200
    assert viewer.delete("/experiments/a?confirm=a").status_code == 403


def test_an_administrator_gives_a_run_away_with_its_task(platform: Platform, runs: Runs, sign_in: SignIn) -> None:
    run = runs.add("a", owner=None)
    admin, user = sign_in("admin"), sign_in("user")
    assert user.get("/experiments/a").status_code == 404
    assert user.post("/experiments/a/assign", json={"owner": "user"}).status_code == 403
    answer = admin.post("/experiments/a/assign", json={"owner": "user"})
    assert (answer.status_code, answer.json()["owner"]) == (200, "user")
    assert user.get("/experiments/a").status_code == 200
    assert user.get(f"/task/{run.task_id}").status_code == 200
    assert audited(platform, "experiment.assign") == [("admin", "experiment:a", {"from": None, "to": "user"})]
    assert admin.post("/experiments/a/assign", json={"owner": "nobody"}).status_code == 404
    assert admin.post("/experiments/a/assign", json={"owner": "No Name"}).status_code == 422
    assert admin.post("/experiments/zzz/assign", json={"owner": "user"}).status_code == 404
    assert admin.post("/experiments/a/assign", json={"owner": None}).json()["owner"] is None
    assert user.get("/experiments/a").status_code == 404

"""The installation at work, as administrators see it."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from app.db.repositories import workers
from app.domain.task import TaskKind
from app.services import monitoring
from app.services.platform import Platform
from tests.api_runs import Runs

SignIn = Callable[..., TestClient]


def test_an_idle_installation_has_nothing_to_show(sign_in: SignIn) -> None:
    empty: dict[str, object] = {"workers": [], "queue": [], "oldest_waiting_at": None, "running": []}
    nothing = {"num_running": 0, "num_machines": 0, "tokens_per_second": 0.0}
    assert sign_in("admin").get("/monitor").json() == empty | nothing


def test_workers_waiting_and_running_work_are_there(
    platform: Platform, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(platform)
    runs.add("done-001")
    runs.add("waiting-001", state="PENDING")
    running = runs.add("running-001", state="STARTED")
    runs.add_points(running, "step", range(1, 4), tokens_per_second=640.0)
    runs.add_points(running, "system", range(1), cpu_percent=180.0, memory_bytes=1000)
    diverged = runs.add("diverged-001", state="STARTED")
    runs.add_points(diverged, "step", range(1, 2), tokens_per_second=float("inf"))
    monkeypatch.setattr(monitoring, "MAX_RUNNING", 2)
    fast = runs.add("fast-001", state="STARTED")
    runs.add_points(fast, "step", range(1, 3), tokens_per_second=1000.0)
    with platform.installation.database.write() as session:
        workers.heard(session, "one", [TaskKind.TRAIN], ["cpu"])
    client = sign_in("admin")
    found = client.get("/monitor").json()
    assert [(one["id"], one["kinds"], one["devices"]) for one in found["workers"]] == [("one", ["train"], ["cpu"])]
    assert {(one["kind"], one["state"]): one["tasks"] for one in found["queue"]} == {
        ("train", "PENDING"): 1,
        ("train", "STARTED"): 3,
    }
    assert found["oldest_waiting_at"] is not None
    assert [one["experiment"] for one in found["running"]] == ["fast-001", "diverged-001"]
    assert (found["num_running"], found["num_machines"], found["tokens_per_second"]) == (3, 1, 1640.0)
    monkeypatch.undo()
    one = client.get("/monitor").json()["running"][-1]
    assert (one["experiment"], one["hostname"], one["tokens_per_second"]) == ("running-001", "elsewhere", 640.0)
    assert (one["cpu_percent"], one["memory_bytes"], one["gpu_percent"]) == (180.0, 1000, None)


def test_it_is_for_administrators(sign_in: SignIn) -> None:
    assert sign_in("user").get("/monitor").status_code == 403
    assert sign_in("viewer").get("/monitor").status_code == 403

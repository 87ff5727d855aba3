"""Does it live, can it work, what does it count; and how little the process loads to say so."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from app.api import request_numbers
from app.services import health
from app.services.platform import Platform
from tests.api_runs import Runs

SignIn = Callable[..., TestClient]
HEAVY = "torch transformers peft pandas pyarrow datasets sklearn matplotlib scipy accelerate"


def test_the_process_answers_whatever_else_does_not(client: TestClient, queue: Any) -> None:
    queue.is_down = True
    answer = client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_it_is_ready_when_all_it_needs_answers(client: TestClient) -> None:
    checks = {"database": "ok", "migrations": "ok", "queue": "ok"}
    assert client.get("/ready").json() == {"status": "ready", "checks": checks}


def test_what_does_not_answer_is_named(client: TestClient, queue: Any) -> None:
    queue.is_down = True
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "service.not_ready")
    assert [place["pointer"] for place in answer.json()["errors"]] == ["/queue"]
    assert int(answer.headers["retry-after"]) > 0


def test_a_schema_of_another_version_is_not_ready(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, queue: Any
) -> None:
    monkeypatch.setattr(health, "HEAD", "from-the-future")
    queue.is_down = True
    assert [place["pointer"] for place in client.get("/ready").json()["errors"]] == ["/migrations", "/queue"]


def test_many_questions_at_once_ask_the_queue_once(client: TestClient, queue: Any, monkeypatch: Any) -> None:
    asked = []
    monkeypatch.setattr(queue, "check", lambda: asked.append(1))
    monkeypatch.setattr(health, "KEPT_SECONDS", 60.0)
    for _ in range(20):
        assert client.get("/ready").status_code == 200
    assert len(asked) == 1


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_the_numbers_are_the_databases_and_the_requests_this_processs(platform: Platform, sign_in: SignIn) -> None:
    runs = Runs(platform)
    for name, state in {"a": "SUCCESS", "b": "FAILURE", "c": "PENDING", "d": "STARTED"}.items():
        runs.add(name, state=state)
    admin = sign_in("admin")
    admin.get("/experiments/a")
    admin.get("/experiments/zzz")
    admin.get("/no/such/path")
    answer = admin.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = samples(answer.text)
    assert found["finetune_tasks", (("state", "SUCCESS"),)] == 1
    assert found["finetune_active_tasks", (("kind", "train"), ("state", "PENDING"))] == 1
    assert found["finetune_oldest_waiting_seconds", ()] > 0
    assert found["finetune_experiments", ()] == 4
    assert found["finetune_accounts", (("role", "admin"),)] == 1
    assert found["finetune_audit_events", ()] > 0
    route = ("method", "GET"), ("route", "/experiments/{name}")
    assert found["finetune_http_requests_total", (*route, ("status", "200"))] == 1
    assert found["finetune_http_requests_total", (*route, ("status", "404"))] == 1
    assert found["finetune_http_request_seconds_count", route] == 2
    unknown = ("method", "GET"), ("route", request_numbers.UNKNOWN_ROUTE), ("status", "404")
    assert found["finetune_http_requests_total", unknown] == 1
    assert found["process_resident_memory_bytes", ()] > 0
    assert "zzz" not in answer.text


def asking(api: FastAPI, address: str, **headers: str) -> httpx.Response:
    """Ask for the numbers from an address."""
    with TestClient(api, base_url="http://localhost", client=(address, 50000)) as client:
        return client.get("/metrics", headers=headers)


def test_the_numbers_are_for_this_machine_or_whoever_has_the_token(
    platform: Platform, api: FastAPI, sign_in: SignIn
) -> None:
    token = SecretStr("a token for the one who scrapes")
    object.__setattr__(platform, "settings", platform.settings.model_copy(update={"metrics_token": token}))
    bearer = {"Authorization": f"Bearer {token.get_secret_value()}"}
    assert asking(api, "203.0.113.9").status_code == 401
    assert asking(api, "203.0.113.9", Authorization="Bearer wrong").status_code == 401
    assert asking(api, "203.0.113.9", **bearer).status_code == 200
    assert asking(api, "127.0.0.1").status_code == 200
    assert asking(api, "::1").status_code == 200
    assert asking(api, "127.0.0.1", **{"X-Forwarded-For": "203.0.113.9"}).status_code == 401
    assert sign_in("user").get("/metrics").status_code == 403


PROGRAM = f"""
import json, sys
from fastapi.testclient import TestClient
from app.main import create_app
app = create_app()
with TestClient(app, base_url="http://localhost") as client:
    answers = [client.get(path).status_code for path in ("/health", "/ready", "/openapi.json", "/me")]
resident = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmRSS"))
loaded = [name for name in "{HEAVY}".split() if name in sys.modules]
print(json.dumps([loaded, answers, resident]))
"""


def test_the_process_is_light_and_loads_nothing_that_trains() -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env={**os.environ, "REDIS_URL": ""}
    )
    assert result.returncode == 0, result.stderr
    loaded, answers, resident = json.loads(result.stdout.splitlines()[-1])
    assert loaded == []
    assert answers[0] == answers[2] == 200
    assert answers[3] == 401
    assert resident < 150_000_000

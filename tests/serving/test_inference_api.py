"""The inference service over HTTP: the promised answer, clear refusals, and the real process."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.inference_api import create_app
from app.runs.directory import RunDirectory
from app.serving.predictor import Predictor

PROMISED = ["label", "probability", "latency_ms", "base_model", "language"]


@pytest.fixture
def client(predictor: Predictor) -> TestClient:
    return TestClient(create_app(predictor), base_url="http://localhost", raise_server_exceptions=False)


def test_an_answer_begins_with_the_promised_fields(client: TestClient) -> None:
    answer = client.post("/predict", json={"text": "I loved it"}).json()
    assert list(answer)[:5] == PROMISED
    assert answer["label"] in (0, 1)
    assert 0.5 <= answer["probability"] <= 1
    assert answer["latency_ms"] > 0
    assert answer["language"] == "Unknown"
    assert answer["label_name"] in ("negative", "positive")


def test_no_path_of_the_machine_is_told(client: TestClient, finished_run: RunDirectory) -> None:
    told = client.post("/predict", json={"text": "x"}).text + client.get("/health").text
    assert str(finished_run.results_dir.parent) not in told
    assert "/" not in json.loads(client.get("/health").text)["base_model"].strip("/")


@pytest.mark.parametrize(
    "body",
    [{}, {"text": ""}, {"text": "  \n"}, {"text": 5}, {"text": "a", "more": 1}, ["a"], {"text": "x" * 2_000_001}],
)
def test_a_wrong_body_is_refused_with_the_place(client: TestClient, body: object) -> None:
    answer = client.post("/predict", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "request.invalid"
    assert "body" in answer.json()["detail"]
    assert len(answer.text) < 2000


def test_a_body_too_large_is_refused(client: TestClient) -> None:
    body = b'{"text": "' + b"x" * 17_000_000 + b'"}'
    announced = client.post("/predict", content=body, headers={"Content-Type": "application/json"})
    pieces = (body[start : start + 1_000_000] for start in range(0, len(body), 1_000_000))
    chunked = client.post("/predict", content=pieces, headers={"Content-Type": "application/json"})
    assert [announced.status_code, chunked.status_code] == [413, 413]
    assert "16000000" in announced.json()["detail"]


def test_another_host_name_is_refused(client: TestClient) -> None:
    assert client.get("/health", headers={"Host": "attacker.example"}).status_code == 400


def test_an_unknown_path_is_a_problem_document(client: TestClient) -> None:
    answer = client.get("/nothing")
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


def test_many_threads_get_the_right_answers(client: TestClient) -> None:
    from concurrent.futures import ThreadPoolExecutor

    texts = [f"text number {number}" for number in range(40)]
    alone = [client.post("/predict", json={"text": text}).json()["scores"] for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: client.post("/predict", json={"text": text}).json()["scores"], texts))
    assert together == alone


@pytest.fixture
def service(finished_run: RunDirectory, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """`finetune serve` as a process; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("RESULTS_DIR", str(finished_run.results_dir))
    monkeypatch.setenv("SERVE_PORT", str(port))
    command = [sys.executable, "-m", "app.cli", "serve", "--run", "served"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=repository)
    assert process.stdout is not None
    assert "/predict" in process.stdout.readline()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield port
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)


def test_the_make_targets_talk_to_the_service(service: int, repository: Path) -> None:
    def make(target: str, **variables: str) -> str:
        script = [sys.executable, "scripts/ask_service.py", target, *variables.values()]
        return subprocess.run(script, capture_output=True, text=True, check=True, cwd=repository).stdout

    assert json.loads(make("health"))["status"] == "ok"
    answer = json.loads(make("predict", text="Worth every penny; 值得!"))
    assert list(answer)[:5] == PROMISED
    with urllib.request.urlopen(f"http://127.0.0.1:{service}/ready", timeout=10) as ready:
        assert ready.status == 200


def test_a_port_in_use_is_said_before_the_model_is_loaded(service: int, repository: Path) -> None:
    command = [sys.executable, "-m", "app.cli", "serve", "--run", "served", "--port", str(service)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=repository)
    assert done.returncode == 1
    assert re.search(rf"error: port {service} cannot be used", done.stderr)


def test_without_a_run_there_is_nothing_to_serve(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve"], capture_output=True, text=True, check=False, cwd=repository
    )
    assert done.returncode == 2
    assert "no successful run" in done.stderr

"""What the recipes of the Makefile call: the latest log, and questions to the inference service."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest


def _run(repository: Path, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / "scripts" / script), *arguments]
    return subprocess.run(
        command, cwd=repository, env={**os.environ, **environment}, capture_output=True, encoding="utf-8"
    )


class _Echo(BaseHTTPRequestHandler):
    """Answers every question with the question."""

    def do_GET(self) -> None:
        self._answer({"path": self.path})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer({"path": self.path, "body": body}, 422 if body["text"] == "refuse" else 200)

    def _answer(self, value: dict, status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(value, ensure_ascii=False).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield str(server.server_port)
        server.shutdown()
        thread.join()


def test_a_text_is_sent_and_the_answer_printed_as_it_came(repository: Path, port: str) -> None:
    result = _run(repository, "ask_service.py", "predict", '很好 "$x"', SERVE_PORT=port)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {"path": "/predict", "body": {"text": '很好 "$x"'}}


def test_health_is_asked_for(repository: Path, port: str) -> None:
    result = _run(repository, "ask_service.py", "health", SERVE_PORT=port)
    assert json.loads(result.stdout) == {"path": "/health"}


def test_a_refusal_of_the_service_is_shown_with_its_status(repository: Path, port: str) -> None:
    result = _run(repository, "ask_service.py", "predict", "refuse", SERVE_PORT=port)
    assert result.returncode == 1
    assert "the service answered 422" in result.stderr


def test_a_service_that_is_not_up_is_one_line_and_a_hint(repository: Path, port: str) -> None:
    result = _run(repository, "ask_service.py", "health", SERVE_PORT="1")
    assert result.returncode == 1
    assert result.stderr.splitlines()[0].startswith("error: no inference service answers on port 1")
    assert "make serve" in result.stderr


def test_no_text_is_wrong_usage(repository: Path) -> None:
    result = _run(repository, "ask_service.py", "predict", " ")
    assert result.returncode == 2
    assert "there is no text to classify" in result.stderr


def test_the_log_of_the_run_written_to_last_is_shown(repository: Path, tmp_path: Path) -> None:
    for name, age in (("a-002", 10), ("b-001", 0), ("a-001", 20)):
        log = tmp_path / "results" / name / "logs.txt"
        log.parent.mkdir(parents=True)
        log.write_text(f"{name}: 訓練\n", encoding="utf-8")
        os.utime(log, (1_700_000_000 - age, 1_700_000_000 - age))
    result = _run(repository, "show_log.py")
    assert result.returncode == 0
    assert result.stdout == "b-001: 訓練\n"


def test_no_log_yet_says_how_to_get_one(repository: Path) -> None:
    result = _run(repository, "show_log.py")
    assert result.returncode == 1
    assert "make run-local" in result.stderr


@pytest.mark.parametrize("command", [("ask_service.py", "health"), ("show_log.py",)])
def test_a_wrong_setting_is_one_line_and_a_hint(command: tuple[str, ...], repository: Path) -> None:
    result = _run(repository, *command, SERVE_PORT="abc")
    assert result.returncode == 2
    assert result.stderr.startswith("error: SERVE_PORT='abc' is not allowed; expected a whole number from 1 to 65535\n")
    assert result.stderr.count("\n") == 2


def test_a_quote_left_open_is_told(repository: Path) -> None:
    result = _run(repository, "run_local.py", config="config/default.yaml", args="--name 'mine")
    assert result.returncode == 2
    assert result.stderr.startswith("error: args=")

"""The child that reads rows: what it may not do, and what becomes of one that takes too much."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.domain import errors
from app.services import data_work
from app.services.data_work import Bounds, Work
from app.services.file_names import name_here
from app.settings import bare_environment
from tests.api_data import as_csv, labelled_rows

CONFINED = """
import json, os, socket, subprocess, sys
from app.services.confinement import Limits, confine
confine(Limits(memory_bytes=2**28, cpu_seconds=5, file_bytes=2**20), os.getppid())
said = {}
def tried(name, attempt):
    try:
        attempt()
        said[name] = "done"
    except (OSError, MemoryError) as error:
        said[name] = type(error).__name__
tried("connect", lambda: socket.create_connection(("127.0.0.1", 9)))
tried("look up", lambda: socket.getaddrinfo("localhost", 80))
tried("another program", lambda: subprocess.run(["true"]))
tried("become another program", lambda: os.execv(sys.executable, [sys.executable, "-c", ""]))
tried("four gigabytes", lambda: bytearray(4 * 2**30))
def write():
    with open("large", "wb") as file:
        file.write(bytes(2**21))
tried("a large file", write)
print(json.dumps(said), flush=True)
while "compute" in sys.argv:
    pass
"""


def confined(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CONFINED, *arguments]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's filter of system calls is Linux's")
def test_a_confined_process_reaches_neither_network_nor_programs_nor_much_memory_or_disk(tmp_path: Path) -> None:
    result = confined(tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {
        "connect": "PermissionError",
        "look up": "PermissionError",
        "another program": "PermissionError",
        "become another program": "PermissionError",
        "four gigabytes": "MemoryError",
        "a large file": "OSError",
    }
    assert (tmp_path / "large").stat().st_size <= 2**20


def test_a_confined_process_that_computes_for_ever_is_ended(tmp_path: Path) -> None:
    assert confined(tmp_path, "compute").returncode < 0


def test_a_child_is_given_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("JWT_SECRET", "DATABASE_URL", "REDIS_URL", "METRICS_TOKEN", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN"):
        monkeypatch.setenv(name, "a-secret")
    environment = bare_environment(tmp_path)
    assert "a-secret" not in environment.values()
    assert environment["TMPDIR"] == environment["HOME"] == str(tmp_path)


# ---- work ----


@pytest.fixture
def work(tmp_path: Path) -> Callable[..., Work]:
    """`work(content, **bounds)` is the validation of a file that people call `reviews.csv`."""
    directory = tmp_path / "upload"
    directory.mkdir()

    def make(content: bytes, **bounds: Any) -> Work:
        name, shown_as = name_here("reviews.csv")
        (directory / name).write_bytes(content)
        fields = {"data": {"train": name}, "base_model": None, "max_length": None}
        return Work("validate", tmp_path / "results", directory, fields, shown_as, Bounds(**bounds))

    return make


def endless() -> bool:
    return False


def test_a_file_is_reported_under_the_name_people_know_and_progress_is_told(work: Callable[..., Work]) -> None:
    heard: list[tuple[str, int, int | None]] = []
    asked = work(as_csv(labelled_rows()))
    result = data_work.run(asked, endless, lambda *told: heard.append(told))
    assert (result["file"], result["rows"], result["ok"]) == ("reviews.csv", 24, True)
    assert heard[0][0] == "reading"
    [token] = asked.shown_as
    assert token not in json.dumps(result)


def test_an_error_comes_through_as_it_was_raised_without_names_of_the_server(work: Callable[..., Work]) -> None:
    asked = work(b"\x00\x01\x02\x03" * 1000)
    with pytest.raises(errors.DataUnreadable, match=r"^reviews\.csv is a binary file") as caught:
        data_work.run(asked, endless)
    assert caught.value.hint
    assert str(asked.directory) not in str(caught.value)


@pytest.mark.parametrize(
    ("bounds", "code"),
    [
        ({"seconds": 0.2}, "data.too_costly"),
        ({"memory_bytes": 30 * 2**20}, "data.too_costly"),
        ({"cpu_seconds": 1}, "data.too_costly"),
    ],
    ids=["time", "memory", "computing"],
)
def test_work_that_takes_more_than_its_bounds_is_ended(
    work: Callable[..., Work], bounds: dict[str, Any], code: str
) -> None:
    with pytest.raises(errors.TooLarge) as caught:
        data_work.run(work(as_csv(labelled_rows(3000)), **bounds), endless)
    assert caught.value.code == code
    assert not _children()


def test_work_is_ended_when_nobody_waits_for_it_any_more(work: Callable[..., Work]) -> None:
    heard: list[object] = []
    with pytest.raises(errors.ServiceUnavailable) as caught:
        data_work.run(work(as_csv(labelled_rows(3000))), lambda: bool(heard), lambda *told: heard.append(told))
    assert caught.value.code == "request.stopped"
    assert not _children()


def _children() -> list[list[str]]:
    found = (child.cmdline() for child in psutil.Process().children())
    return [command for command in found if "app.services.data_child" in command]


def test_an_answer_that_is_too_long_is_not_held(work: Callable[..., Work], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_work, "MAX_ANSWER_BYTES", 500)
    with pytest.raises(errors.TooLarge):
        data_work.run(work(as_csv(labelled_rows())), endless)


def test_more_labels_or_longer_names_than_any_list_is_made_for_are_refused(work: Callable[..., Work]) -> None:
    many = as_csv([(f"text {n} of many", f"label {n // 2}") for n in range(20_100)])
    long = as_csv([(text, label * 200) for text, label in labelled_rows()])
    for content, what in ((many, "10,050 labels"), (long, "1,600 characters in the name")):
        with pytest.raises(errors.TooLarge, match=what):
            data_work.run(work(content), endless)

"""Attempts that follow each other in one directory, in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.domain.errors import Conflict
from app.runs.directory import RunDirectory
from app.runs.lock import next_attempt, read_attempt, run_lock
from app.runs.turn import EXIT_SUPERSEDED

CHILD = """
import subprocess, sys, time
from pathlib import Path
from app.runs.directory import RunDirectory
from app.runs.lock import read_attempt, run_lock
from app.runs.turn import Turn

run, heeds = RunDirectory(Path(sys.argv[1])), sys.argv[2] != "deaf"
with run_lock(run), Turn(run, read_attempt(run)) as turn:
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    run.path.joinpath("helper.new").write_text(str(helper.pid))
    run.path.joinpath("helper.new").rename(run.path / "helper")
    while not (heeds and turn.should_stop()):
        time.sleep(0.02)
    helper.kill()
    sys.exit(0 if turn.may_save() else 3)
"""

UNDER_FIRE = """
import os, signal, sys
left = 100

def fire(frame, event, _):
    global left
    if left and (left < 100 or frame.f_code.co_name == "_on_signal"):
        left -= 1
        os.kill(os.getpid(), signal.SIGTERM)
    return fire

sys.settrace(fire)
"""
"""Put before a program: from its first signal on it gets another one at every step, those of its handler included."""


def start(run: RunDirectory, mode: str, *, new_session: bool = True) -> tuple["subprocess.Popen[bytes]", int]:
    """A process whose turn it is, and one it has started."""
    program = UNDER_FIRE + CHILD if mode == "heeds under fire" else CHILD
    command = [sys.executable, "-c", program, str(run.path), mode]
    process = subprocess.Popen(command, start_new_session=new_session)
    deadline = time.monotonic() + 60
    while not (run.path / "helper").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process, int((run.path / "helper").read_text())


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    next_attempt(RunDirectory(tmp_path), "first")
    return RunDirectory(tmp_path)


def test_a_stale_attempt_stops_and_knows_that_it_may_not_save(run: RunDirectory) -> None:
    process, _ = start(run, "heeds")
    next_attempt(run, "second")
    assert process.wait(60) == 3


@pytest.mark.parametrize("new_session", [True, False])
def test_a_stale_attempt_that_goes_on_is_ended_and_its_successor_gets_the_lock(
    run: RunDirectory, new_session: bool
) -> None:
    process, helper = start(run, "deaf", new_session=new_session)
    with pytest.raises(Conflict), run_lock(run):
        pass
    next_attempt(run, "second")
    with run_lock(run, wait_seconds=60):
        assert process.wait(60) == (-signal.SIGKILL if new_session else EXIT_SUPERSEDED)
    if not new_session:  # a group of its own would have gone with it
        os.kill(helper, signal.SIGKILL)
    assert_gone(helper)


def test_sigterm_stops_an_attempt_that_may_save(run: RunDirectory) -> None:
    process, _ = start(run, "heeds")
    process.terminate()
    assert process.wait(60) == 0


def test_signals_that_come_while_one_is_handled_do_no_harm(run: RunDirectory) -> None:
    process, _ = start(run, "heeds under fire")
    process.terminate()
    try:
        assert process.wait(60) == 0
    finally:
        process.kill()


def test_who_lost_the_right_to_a_directory_does_not_take_it_over(run: RunDirectory) -> None:
    def lost() -> None:
        raise Conflict("taken over")

    with pytest.raises(Conflict):
        next_attempt(run, "stale", lost)
    current = read_attempt(run)
    assert current is not None
    assert (current.number, current.token) == (1, "first")


def assert_gone(pid: int) -> None:
    deadline = time.monotonic() + 60
    while (state := _state(pid)) not in ("", "Z"):
        assert time.monotonic() < deadline, f"process {pid} is in state {state}"
        time.sleep(0.02)


def _state(pid: int) -> str:
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip()[:1]


def test_the_number_of_an_attempt_never_goes_down_though_earlier_ones_never_came_so_far(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert next_attempt(run, "third", at_least=3).number == 3
    assert next_attempt(run, "fourth", at_least=1).number == 4

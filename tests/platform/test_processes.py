"""Programs are started in order, restarted when they die, stopped together; none outlives the one that started them."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from app.domain.errors import ServiceUnavailable
from app.services import processes as module
from app.services.processes import Processes, Program
from tests.platform.conftest import is_gone, wait_until_gone

PATIENCE_SECONDS = 60
WAIT_FOR_ORDER_TO_STOP = (
    "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); print('up', flush=True)\n"
    "signal.sigwait([signal.SIGTERM]); print('down')"
)
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"


def python(code: str) -> Callable[[int], subprocess.Popen[bytes]]:
    """What starts a piece of Python."""
    return lambda output: subprocess.Popen(
        [sys.executable, "-c", code], stdout=output, stderr=output, start_new_session=True
    )


class Stage:
    """Runs programs here, remembers what they said, and wishes them to stop each time the next condition holds."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.processes: Processes
        self.wishes: list[Callable[[list[tuple[str, str]]], bool]] = []

    def say(self, name: str, line: str) -> None:
        self.said.append((name, line))
        while self.wishes and self.wishes[0](self.said):
            self.wishes.pop(0)
            self.processes.ask_to_stop()

    def has_said(self, name: str, line: str) -> Callable[[], bool]:
        return lambda: (name, line) in self.said

    def run(self, programs: list[Program], *wishes: Callable[[list[tuple[str, str]]], bool]) -> bool:
        self.processes, self.wishes = Processes(programs, self.say), list(wishes)
        late = threading.Timer(PATIENCE_SECONDS, self._give_up)
        late.start()
        try:
            return self.processes.run(lambda: self.say("test", "all are ready"))
        finally:
            late.cancel()

    def _give_up(self) -> None:
        self.said.append(("test", "this takes too long"))
        for _ in range(2):
            self.processes.ask_to_stop()
            time.sleep(2 * module.SECONDS_BETWEEN_SIGNALS)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)
    stage = Stage()
    yield stage
    assert [child for child in psutil.Process().children() if child.pid in stage.processes.pids()] == []


def test_a_program_starts_after_what_it_needs_and_stops_before_it(stage: Stage) -> None:
    programs = [
        Program("api", python(WAIT_FOR_ORDER_TO_STOP), stage.has_said("api", "up"), needs=("queue",)),
        Program("queue", python(WAIT_FOR_ORDER_TO_STOP), stage.has_said("queue", "up")),
    ]
    assert stage.run(programs, lambda said: said[-1] == ("test", "all are ready"))
    spoken = [entry for entry in stage.said if entry[0] != "platform"]
    assert spoken == [("queue", "up"), ("api", "up"), ("test", "all are ready"), ("api", "down"), ("queue", "down")]


def test_a_program_that_dies_is_started_again_and_that_is_said(stage: Stage) -> None:
    program = Program("api", python("print('up'); import os; os.kill(os.getpid(), 9)"), lambda: True)
    assert stage.run([program], lambda said: said.count(("api", "up")) == 3)
    restarts = [line for _, line in stage.said if "again" in line]
    assert restarts[:2] == [
        "ended by SIGKILL; starting it again in 0.01 s",
        "ended by SIGKILL; starting it again in 0.02 s",
    ]


def test_one_that_never_comes_up_stops_everything(stage: Stage) -> None:
    programs = [
        Program("queue", python(WAIT_FOR_ORDER_TO_STOP), stage.has_said("queue", "up")),
        Program("api", python("print('error: no secret'); exit(2)"), lambda: False, needs=("queue",)),
    ]
    assert stage.run(programs) is False
    assert ("api", "ended with status 2, 5 times in a row; giving up") in stage.said
    assert stage.said[-1] == ("queue", "down")


def test_a_program_that_cannot_even_be_started_says_why(stage: Stage) -> None:
    def start(_output: int) -> subprocess.Popen[bytes]:
        raise ServiceUnavailable("there is no server", hint="install one")

    assert stage.run([Program("queue", start, lambda: True)]) is False
    assert ("queue", "error: there is no server") in stage.said
    assert ("queue", "could not be started (install one); starting it again in 0.01 s") in stage.said


def test_a_program_that_is_not_well_is_ended_and_started_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEALTH_SECONDS", 0.0)
    healths = iter([True, False])
    program = Program("queue", python(DEAF), lambda: True, is_well=lambda: next(healths, True), seconds_to_stop=0)
    assert stage.run([program], lambda said: said.count(("queue", "up")) == 2)
    assert ("queue", "ended by SIGKILL; starting it again in 0.01 s") in stage.said


def test_one_that_does_not_come_up_in_time_is_ended_and_started_again(stage: Stage) -> None:
    program = Program("queue", python(DEAF), lambda: False, seconds_to_start=0.3)
    assert stage.run([program]) is False
    assert ("queue", "is not ready after 0.3 s; ending it") in stage.said


def test_one_that_does_not_stop_in_time_is_killed(stage: Stage) -> None:
    program = Program("worker", python(DEAF), lambda: True, seconds_to_stop=0.2)
    assert stage.run([program], lambda said: ("worker", "up") in said)
    assert ("worker", "has not stopped in 0.2 s; killing it") in stage.said


def test_a_second_wish_to_stop_kills_all_and_what_they_started(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_SIGNALS", 0.0)
    parent = (
        f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {DEAF!r}], start_new_session=True)\n"
        f"print('child', child.pid, flush=True)\n{DEAF}"
    )

    assert stage.run(
        [Program("worker", python(parent), lambda: True)],
        lambda said: [line for _, line in said].count("up") == 2,
        lambda said: said[-1][1].startswith("stopping"),
    )
    [pid] = [int(line.split()[1]) for _, line in stage.said if line.startswith("child")]
    assert ("platform", "killing everything") in stage.said
    wait_until_gone([pid])


def test_one_that_is_slow_to_come_up_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLOW_SECONDS", 0.0)
    program = Program("api", python(WAIT_FOR_ORDER_TO_STOP), lambda: False)
    assert stage.run([program], lambda said: said[-1] == ("api", "is not ready after 0 s; still waiting"))


def test_two_signals_at_once_are_one_wish(stage: Stage) -> None:
    program = Program("worker", python(WAIT_FOR_ORDER_TO_STOP), lambda: True)
    assert stage.run([program], lambda said: said[-1] == ("worker", "up"), lambda said: True)
    assert stage.said[-1] == ("worker", "down")


def test_what_a_program_says_arrives_line_by_line_whole_and_to_the_last(stage: Stage) -> None:
    code = (
        "import sys; w = sys.stdout.buffer.write; w(b'first\\n'); w(b'x' * 200_000 + b'\\n'); w(b'\\xff last'); exit(3)"
    )
    stage.run([Program("api", python(code), lambda: False)])
    lines = [line for name, line in stage.said if name == "api"]
    assert lines[0] == "first"
    assert sum(line.count("x") for line in lines[1:5]) == 200_000
    assert "\N{REPLACEMENT CHARACTER} last" in lines


KEEPER = """
import os, signal, subprocess, sys
from app.services.processes import Processes, Program
def start(output):
    code = "import signal, os; print(os.getpid(), flush=True); signal.pause()"
    command = [sys.executable, "-m", "app.services.child", str(os.getpid()), sys.executable, "-c", code]
    return subprocess.Popen(command, stdout=output, start_new_session=True)
Processes([Program("worker", start, lambda: True)], lambda name, line: print(line, flush=True)).run(lambda: None)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a program that its parent died")
def test_none_outlives_a_keeper_that_was_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", KEEPER], stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout is not None
        pid = int(keeper.stdout.readline())
        assert not is_gone(pid)
        keeper.kill()
    wait_until_gone([pid])


def test_the_signals_of_its_process_are_as_before_when_it_is_over(stage: Stage) -> None:
    numbers = (*module.STOP_SIGNALS, signal.SIGCHLD)
    before = [signal.getsignal(number) for number in numbers]
    stage.run([Program("api", python(WAIT_FOR_ORDER_TO_STOP), lambda: True)], lambda said: ("api", "up") in said)
    assert [signal.getsignal(number) for number in numbers] == before

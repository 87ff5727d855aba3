"""An installation on real processes, any of which may die at any moment: API, two workers, the queue's server.

What has died is started again after a while, as `finetune start` does; what dies without being killed is written down.
Everything stands in one folder, logs included.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from app.cli.listening import listen
from app.domain.errors import StorageError
from app.settings import Settings
from app.tasks.broker import EmbeddedBroker
from tests.chaos.clock import Clock
from tests.tasks.conftest import REPOSITORY, SECONDS, House

API, QUEUE, WORKERS = "api", "queue", ("first", "second")
CHILD = (sys.executable, "-m", "app.services.child")


@dataclass
class Program:
    """One of the site's programs; `start_at` is when it is due to be started again."""

    start: Callable[[int], subprocess.Popen[bytes]]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    start_at: float = 0.0
    was_killed: bool = False
    is_ready: bool = False


@dataclass
class Site:
    """`died` tells which programs ended though nobody had killed them."""

    folder: Path
    house: House
    died: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = self.house.platform.settings
        self.clock = Clock(self.folder)
        self._listening = listen("127.0.0.1", 0, "API_PORT")
        self.port: int = self._listening.getsockname()[1]
        self.broker = EmbeddedBroker(settings)
        self.environment = _environment(settings)
        environment = self.environment | self.clock.environment
        descriptor = self._listening.fileno()
        starters = {
            QUEUE: self.broker.start,
            API: _starter(["app.main", str(descriptor)], environment, (descriptor,)),
            **{name: _starter(["tests.chaos.noting_worker", name], environment) for name in WORKERS},
        }
        self.programs = {name: Program(start, self.folder / f"{name}.log") for name, start in starters.items()}

    @property
    def url(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self.port}"

    def keep_running(self) -> None:
        """Start what is due; write down what has ended by itself."""
        for name, program in self.programs.items():
            process = program.process
            if process is not None and process.poll() is not None:
                if not program.was_killed:
                    self.died.append(f"{name} ended with status {process.returncode}")
                    program.start_at = time.monotonic() + 0.5
                program.process = None
            if program.process is None and time.monotonic() >= program.start_at:
                self._start(program)
        queue = self.programs[QUEUE]
        if queue.process is not None and not queue.is_ready:
            queue.is_ready = self.broker.is_ready()

    def _start(self, program: Program) -> None:
        try:
            with program.log.open("ab") as output:
                program.process = program.start(output.fileno())
        except StorageError:
            program.start_at = time.monotonic() + 0.5  # the disk is full still
        else:
            program.was_killed = program.is_ready = False

    def wait(self, holds: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
        """Return as soon as something holds, keeping everything running meanwhile."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
            self.keep_running()
            time.sleep(0.1)

    def pause(self, seconds: float) -> None:
        """Let time pass, keeping everything running meanwhile."""
        until = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() >= until, "time to pass", seconds + SECONDS)

    def pid(self, name: str) -> int:
        """Of a program, which is waited for where it is down."""
        self.wait(lambda: self.programs[name].process, f"the start of {name}")
        process = self.programs[name].process
        assert process is not None
        return process.pid

    def kill(self, name: str, down_seconds: float) -> None:
        """Kill a program with -9; it is started again after a while."""
        pid, program = self.pid(name), self.programs[name]
        program.was_killed, program.start_at = True, time.monotonic() + down_seconds
        os.kill(pid, signal.SIGKILL)
        assert program.process is not None
        program.process.wait()

    def may_end(self, name: str, down_seconds: float) -> None:
        """What happens now may end a program, and it is none of its faults."""
        program = self.programs[name]
        program.was_killed, program.start_at = True, time.monotonic() + down_seconds

    def children(self, *names: str) -> list[psutil.Process]:
        """The processes that do the work of these workers, of all where none is named."""
        found: list[psutil.Process] = []
        for name in names or WORKERS:
            process = self.programs[name].process
            if process is not None:
                try:
                    found += psutil.Process(process.pid).children()
                except psutil.NoSuchProcess:
                    continue
        return [child for child in found if not _is_dead(child)]

    def deliveries(self, message_id: str) -> int:
        """How often workers were given the Celery message of that id."""
        logs = [self.programs[name].log.read_text(errors="replace") for name in WORKERS]
        return sum(log.count(f"[{message_id}] received") for log in logs)

    def everything(self) -> list[psutil.Process]:
        """All processes of this machine that belong to the site, whoever is their parent."""
        marks = {str(self.house.results_dir), str(self.house.results_dir.resolve())}
        return [process for process in psutil.process_iter() if process.pid != os.getpid() and _has(process, marks)]

    def end(self) -> None:
        """End all programs in order; each that does not is killed."""
        for program in self.programs.values():
            if program.process is not None and program.process.poll() is None:
                program.process.send_signal(signal.SIGCONT)
        for name in (*WORKERS, API, QUEUE):
            process = self.programs[name].process
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self._listening.close()

    def log_ends(self, characters: int = 3000) -> str:
        """What the programs said last."""
        return "\n".join(
            f"--- {program.log}\n{program.log.read_text(errors='replace')[-characters:]}"
            for program in self.programs.values()
            if program.log.is_file()
        )


@contextmanager
def running(folder: Path, house: House) -> Iterator[Site]:
    """A site whose programs are started; at the end they are ended, and what they said last is shown."""
    site = Site(folder, house)
    try:
        site.keep_running()
        yield site
    finally:
        site.end()
        print(site.log_ends())


def _starter(
    arguments: list[str], environment: dict[str, str], inherited: tuple[int, ...] = ()
) -> Callable[[int], subprocess.Popen[bytes]]:
    """What starts `python -m ARGUMENTS`; it gets SIGTERM should this process die."""

    def start(output: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*CHILD, str(os.getpid()), sys.executable, "-u", "-m", *arguments],
            env=environment,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=inherited,
        )

    return start


def _environment(settings: Settings) -> dict[str, str]:
    given = {name.upper(): getattr(settings, name) for name in settings.model_fields_set}
    told = {
        name: ",".join(map(str, value)) if isinstance(value, tuple) else str(value) for name, value in given.items()
    }
    return {**os.environ, "DATABASE_URL": "", "REDIS_URL": "", "WORKER_SLOTS": "1", **told}


def _is_dead(process: psutil.Process) -> bool:
    """Whether it has ended, be it that nobody has asked for its status yet."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _has(process: psutil.Process, marks: set[str]) -> bool:
    """Whether a process names the site's results directory, as an argument or in its environment."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        words = process.cmdline()
        return process.environ().get("RESULTS_DIR") in marks or any(mark in word for word in words for mark in marks)
    except psutil.Error:
        return False

"""Several programs kept running by one process: started in order, restarted when they die, stopped together.

What the programs are is not known here. One thread does it all, since on Linux a child is told that its parent died
when the thread that started it ends.
"""

import math
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from app.domain.errors import PlatformError

POLL_SECONDS = 0.1
IDLE_SECONDS = 1.0
HEALTH_SECONDS = 5.0
SLOW_SECONDS = 20.0
"""What is not ready by then is named, so that nobody waits without knowing for what."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
STEADY_SECONDS = 60.0
"""A program that ran for so long starts again with the shortest pause."""
STARTS_TO_GIVE_UP = 5
"""Of a program that ends by itself each time and was never ready."""
SECONDS_BETWEEN_SIGNALS = 1.0
"""A second one that comes sooner is the same wish, passed on by a wrapper as well as by the terminal."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MAX_LINE_BYTES = 65_536

Say = Callable[[str, str], None]
"""Takes the name of a program and a line of its log."""


@dataclass(frozen=True)
class Program:
    """`start` runs it with its log going to a file descriptor; `needs` names programs that must be ready before.

    Whatever needs a program is stopped before it. One whose `is_well` says no, once ready, is killed and restarted,
    and so is one that is not ready in `seconds_to_start`.
    """

    name: str
    start: Callable[[int], subprocess.Popen[bytes]]
    is_ready: Callable[[], bool]
    needs: Sequence[str] = ()
    is_well: Callable[[], bool] = lambda: True
    seconds_to_start: float = math.inf
    seconds_to_stop: float = 30.0


@dataclass
class _Kept:
    """A program and how it is doing."""

    program: Program
    process: subprocess.Popen[bytes] | None = None
    reader: int = -1
    unfinished: bytes = b""
    started_at: float = 0.0
    is_ready: bool = False
    was_ready: bool = False
    called_slow: bool = False
    failures: int = 0
    start_at: float = 0.0
    told_to_stop_at: float | None = None


class Processes:
    """Runs programs until it is told to stop, or one of them cannot be brought up."""

    def __init__(self, programs: Sequence[Program], say: Say) -> None:
        self._kept = {program.name: _Kept(program) for program in programs}
        self._say = say
        self._wishes_to_stop = 0
        self._wishes_told = 0
        self._last_wish = 0.0
        self._gave_up = False
        self._health_checked = 0.0

    def run(self, on_ready: Callable[[], None], on_stop: Callable[[], None] = lambda: None) -> bool:
        """Start everything, and keep it running until it is to stop; False when one never came up.

        `on_ready` is called once all programs are, `on_stop` before any is stopped.
        """
        announced = stopping = False
        with self._signals() as wake:
            while not self._is_over():
                self._start_what_is_due()
                all_were_ready = self._all_are_ready()
                self._wait(wake)
                self._tell_of_wishes()
                if self._wishes_to_stop and not stopping:
                    stopping = True
                    on_stop()
                self._look_after()
                if all_were_ready and not announced:  # a round later, when what they said before is shown
                    announced = True
                    on_ready()
        return not self._gave_up

    def pids(self) -> list[int]:
        """Of the programs that run."""
        return [kept.process.pid for kept in self._kept.values() if kept.process]

    # ---- starting ----

    def _start_what_is_due(self) -> None:
        if self._wishes_to_stop:
            return
        for kept in self._kept.values():
            needed = [self._kept[name].is_ready for name in kept.program.needs if name in self._kept]
            if kept.process is None and all(needed) and time.monotonic() >= kept.start_at:
                self._start(kept)

    def _start(self, kept: _Kept) -> None:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        kept.started_at, kept.told_to_stop_at = time.monotonic(), None
        kept.is_ready = kept.called_slow = False
        try:
            kept.process = kept.program.start(writer)
        except PlatformError as error:
            os.close(reader)
            self._say(kept.program.name, f"error: {error.message}")
            self._plan_restart(kept, f"could not be started ({error.hint})" if error.hint else "could not be started")
        else:
            kept.reader, kept.unfinished = reader, b""
        finally:
            os.close(writer)

    def _plan_restart(self, kept: _Kept, what_happened: str) -> None:
        if time.monotonic() - kept.started_at > STEADY_SECONDS:
            kept.failures = 0
        kept.failures += 1
        if not kept.was_ready and kept.failures >= STARTS_TO_GIVE_UP:
            self._say(kept.program.name, f"{what_happened}, {kept.failures} times in a row; giving up")
            self._gave_up = True
            self._wishes_to_stop = self._wishes_told = max(self._wishes_to_stop, 1)
            return
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (kept.failures - 1))
        kept.start_at = time.monotonic() + pause
        self._say(kept.program.name, f"{what_happened}; starting it again in {pause:g} s")

    # ---- while they run ----

    def _all_are_ready(self) -> bool:
        return all(kept.is_ready for kept in self._kept.values())

    def _wait(self, wake: int) -> None:
        """Take in what the programs say, until there is something else to do."""
        settled = self._all_are_ready() and not self._wishes_to_stop
        readers = {kept.reader: kept for kept in self._kept.values() if kept.reader >= 0}
        found, _, _ = select.select([*readers, wake], [], [], IDLE_SECONDS if settled else POLL_SECONDS)
        for descriptor in found:
            if descriptor == wake:
                os.read(wake, 4096)
            else:
                self._take_in(readers[descriptor])

    def _take_in(self, kept: _Kept) -> None:
        """Pass on the whole lines of what a program has written, and of a line without end the part there is."""
        try:
            found = os.read(kept.reader, MAX_LINE_BYTES)
        except BlockingIOError:
            return
        if not found:
            self._close(kept)
            return
        *lines, kept.unfinished = (kept.unfinished + found).split(b"\n")
        if len(kept.unfinished) > MAX_LINE_BYTES:
            lines, kept.unfinished = [*lines, kept.unfinished], b""
        for line in lines:
            self._say(kept.program.name, line.decode(errors="replace").rstrip("\r"))

    def _close(self, kept: _Kept) -> None:
        if kept.unfinished:
            self._say(kept.program.name, kept.unfinished.decode(errors="replace"))
        if kept.reader >= 0:
            os.close(kept.reader)
        kept.reader, kept.unfinished = -1, b""

    def _look_after(self) -> None:
        check_health = time.monotonic() - self._health_checked > HEALTH_SECONDS
        for kept in self._kept.values():
            if kept.process is None:
                continue
            if kept.process.poll() is not None:
                self._bury(kept)
            elif not self._wishes_to_stop and not kept.is_ready:
                self._ask_whether_ready(kept)
            elif not self._wishes_to_stop and check_health and not kept.program.is_well():
                self._say(kept.program.name, "is not well; ending it")
                kill_tree(kept.process.pid)
        if check_health:
            self._health_checked = time.monotonic()
        if self._wishes_to_stop:
            self._stop()

    def _ask_whether_ready(self, kept: _Kept) -> None:
        kept.is_ready = kept.program.is_ready()
        kept.was_ready = kept.was_ready or kept.is_ready
        seconds = 0.0 if kept.is_ready else time.monotonic() - kept.started_at
        if seconds > kept.program.seconds_to_start and kept.process:
            self._say(kept.program.name, f"is not ready after {kept.program.seconds_to_start:g} s; ending it")
            kill_tree(kept.process.pid)
        elif seconds > SLOW_SECONDS and not kept.called_slow:
            kept.called_slow = True
            self._say(kept.program.name, f"is not ready after {SLOW_SECONDS:g} s; still waiting")

    def _bury(self, kept: _Kept) -> None:
        assert kept.process is not None
        status = kept.process.returncode
        while kept.reader >= 0 and select.select([kept.reader], [], [], 0)[0]:
            self._take_in(kept)
        self._close(kept)
        kept.process, kept.is_ready = None, False
        if not self._wishes_to_stop:
            self._plan_restart(kept, f"ended {_describe(status)}")

    # ---- stopping ----

    def _stop(self) -> None:
        """Tell each program that nothing needs any more; kill those that take too long, and all on a second wish."""
        running = {name: kept for name, kept in self._kept.items() if kept.process}
        for kept in running.values():
            process, now = kept.process, time.monotonic()
            assert process is not None
            if self._wishes_to_stop > 1:
                kill_tree(process.pid)
            elif kept.told_to_stop_at is None:
                if not any(kept.program.name in other.program.needs for other in running.values()):
                    kept.told_to_stop_at = now
                    process.terminate()
            elif now - kept.told_to_stop_at > kept.program.seconds_to_stop:
                self._say(kept.program.name, f"has not stopped in {kept.program.seconds_to_stop:g} s; killing it")
                kill_tree(process.pid)
                kept.told_to_stop_at = now

    def _tell_of_wishes(self) -> None:
        while self._wishes_told < self._wishes_to_stop:
            self._wishes_told += 1
            words = "stopping; asked once more, it kills everything" if self._wishes_told == 1 else "killing everything"
            self._say("platform", words)

    def _is_over(self) -> bool:
        return bool(self._wishes_to_stop) and not self.pids()

    def ask_to_stop(self, *_signal_and_frame: object) -> None:
        """Once: stop everything in order. Twice: kill everything. Safe in a signal handler."""
        now = time.monotonic()
        if self._wishes_to_stop and now - self._last_wish < SECONDS_BETWEEN_SIGNALS:
            return
        self._wishes_to_stop, self._last_wish = self._wishes_to_stop + 1, now

    @contextmanager
    def _signals(self) -> Iterator[int]:
        """React to signals while the block runs; yields what becomes readable when one came."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        wished = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        handlers = {number: signal.signal(number, self.ask_to_stop) for number in wished}
        handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            os.close(reader)
            os.close(writer)


def kill_tree(pid: int) -> None:
    """Kill a process and all it has started."""
    try:
        root = psutil.Process(pid)
        family = [*root.children(recursive=True), root]
    except psutil.Error:
        return
    for process in family:
        try:
            process.kill()
        except psutil.Error:
            continue


def _describe(status: int) -> str:
    return f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"

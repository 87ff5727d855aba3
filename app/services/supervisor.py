"""Start the engine as a child, follow its events into the database, keep the claim alive, pass on a wish to stop.

The command line, a queue's worker and a Kubernetes Job all run a training through here; what a run means is not
known here.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from app.domain.errors import ServiceUnavailable, StorageError
from app.domain.events import Event, RunFinished
from app.domain.task import TaskState
from app.runs.event_log import append_event
from app.runs.files import storage_errors
from app.services.recording import Recorder, complete_ending, ending, lost
from app.settings import environment_without_secrets

logger = logging.getLogger(__name__)
Recorded = TypeVar("Recorded")

ENGINE = (sys.executable, "-u", "-m", "app.train")
POLL_SECONDS = 0.2
RENEWALS_A_LEASE = 4
SECONDS_TO_SAVE = 60.0
"""A child that was asked to save and stop, and has not ended by then, is killed."""
SECONDS_TO_RECORD = 60.0
"""How long a database that cannot be written is tried again once the child has ended."""
EXIT_REFUSED = 2
"""The engine's exit status when it could not take the run at all."""
STOP_SIGNALS = (signal.SIGTERM, signal.SIGKILL)


class StopRequest:
    """How often somebody asked to stop: once means save and stop, twice means now. Safe in a signal handler."""

    def __init__(self) -> None:
        self.times = 0

    def ask(self, *_signal_and_frame: object) -> None:
        """Ask (once more)."""
        self.times += 1


def ignore() -> None:
    """Nothing to look after."""


@dataclass(frozen=True)
class Supervisor:
    """`listener` hears each event after it is recorded; `engine` is the command that the run directory is added to.

    `look_after` is called a few times a second while the child lives and may ask `stop`. `environment` is the child's.
    """

    recorder: Recorder
    listener: Callable[[Event], None]
    stop: StopRequest
    engine: Sequence[str] = ENGINE
    look_after: Callable[[], None] = ignore
    environment: Mapping[str, str] = field(default_factory=environment_without_secrets)

    def run(self) -> RunFinished:
        """Run the engine to its end and record how it ended; the outcome as recorded."""
        process = self._start()
        try:
            heard = self._follow(process)
        except BaseException:
            # Nobody would record what this child does from here on.
            _end(process)
            raise
        _end_leftovers(process)
        finished = self._record(lambda: ending(heard, self.recorder.claim.attempt) or self._write_ending(process))
        self._record(lambda: self.recorder.finish(finished))
        return finished

    def _start(self) -> subprocess.Popen[bytes]:
        run = self.recorder.run
        command = [sys.executable, "-m", "app.services.child", str(os.getpid()), *self.engine, str(run.path)]
        with storage_errors(run.log), run.log.open("ab") as log:
            # A session of its own: the terminal's Ctrl-C reaches us alone, and we decide what it means.
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=dict(self.environment),
            )

    def _follow(self, process: subprocess.Popen[bytes]) -> list[Event]:
        endings: list[Event] = []
        signals, renewed = _Signals(process, self.stop), time.monotonic()
        while True:
            ended = process.poll() is not None
            try:
                endings += self._take_new()
                if time.monotonic() - renewed > self.recorder.claim.lease.total_seconds() / RENEWALS_A_LEASE:
                    self.recorder.renew()
                    renewed = time.monotonic()
                if not ended:
                    self.look_after()
            except (StorageError, ServiceUnavailable) as error:
                # The engine goes on: its events are safe in the file and are taken in when the database is back.
                logger.warning("the database cannot be used, trying again: %s", error.message)
                if ended:
                    return [*endings, *self._record(self._take_new)]
            if ended:
                return endings
            signals.send()
            try:
                process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue

    def _take_new(self) -> list[Event]:
        """Record what was reported, tell the listener; those events that end an attempt."""
        events = self.recorder.take_new()
        for event in events:
            self.listener(event)
        return [event for event in events if isinstance(event, RunFinished)]

    def _record(self, write: Callable[[], Recorded]) -> Recorded:
        """Do what writes to the database, again where it cannot be used; the last failure is raised."""
        deadline = time.monotonic() + SECONDS_TO_RECORD
        while True:
            try:
                return write()
            except (StorageError, ServiceUnavailable) as error:
                if time.monotonic() > deadline:
                    raise
                logger.warning("the database cannot be used, trying again: %s", error.message)
                time.sleep(1.0)

    def _write_ending(self, process: subprocess.Popen[bytes]) -> RunFinished:
        """Speak for a child that died silently, in the database and in the run's own file."""
        self.recorder.renew()  # who has lost the claim writes nothing
        finished = complete_ending(self.recorder.run) or self._explain(process.returncode)
        finished = finished.model_copy(update={"attempt": self.recorder.claim.attempt})
        append_event(self.recorder.run.events, finished)
        self._take_new()
        return finished

    def _explain(self, return_code: int) -> RunFinished:
        if return_code == -signal.SIGKILL and self.stop.times > 1:
            return lost("stopped at once, on request").model_copy(
                update={"state": TaskState.REVOKED, "error_code": "run.killed"}
            )
        if return_code == -signal.SIGTERM and self.stop.times:
            # The engine handles the signal from its first moments on.
            return lost("stopped before it had begun").model_copy(
                update={"state": TaskState.REVOKED, "error_code": "run.stopped"}
            )
        if return_code == -signal.SIGKILL:
            return lost("the training process was killed (signal 9): most likely the machine ran out of memory")
        if return_code < 0:
            return lost(f"the training process was ended by {signal.Signals(-return_code).name}")
        last = _last_line(self.recorder.run.log)
        if return_code == EXIT_REFUSED:
            return RunFinished(state=TaskState.FAILURE, error_code="run.refused", error_detail=last, retryable=True)
        return lost(f"the training process ended with status {return_code} and no word" + (f": {last}" if last else ""))


class _Signals:
    """Passes wishes to stop on to the child: SIGTERM for the first, SIGKILL for the next or after a while."""

    def __init__(self, process: subprocess.Popen[bytes], stop: StopRequest) -> None:
        self._process, self._stop = process, stop
        self._sent = 0
        self._first_sent = 0.0

    def send(self) -> None:
        """Send what was not sent yet."""
        if self._sent == 1 and time.monotonic() - self._first_sent > SECONDS_TO_SAVE:
            self._stop.ask()
        while self._sent < min(self._stop.times, len(STOP_SIGNALS)):
            _send(self._process, STOP_SIGNALS[self._sent])
            self._first_sent = self._first_sent or time.monotonic()
            self._sent += 1


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let the child save and stop; kill it when it does not."""
    _send(process, signal.SIGTERM)
    try:
        process.wait(SECONDS_TO_SAVE)
    except subprocess.TimeoutExpired:
        _send(process, signal.SIGKILL)
        process.wait()


def _end_leftovers(process: subprocess.Popen[bytes]) -> None:
    """End what a child has started and left behind when it was killed."""
    if process.returncode < 0:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the child; on a kill also whatever it started."""
    try:
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    except ProcessLookupError:
        pass


def _last_line(log: Path) -> str:
    """The last non-empty line of a log, at most 300 characters."""
    lines = log_tail(log)
    return lines[-1][:300] if lines else ""


def log_tail(log: Path, tail_bytes: int = 4096) -> list[str]:
    """The last non-empty lines of a log; none where there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - tail_bytes))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]

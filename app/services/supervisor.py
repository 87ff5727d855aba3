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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.db.repositories import tasks
from app.domain.errors import Conflict, StorageError
from app.domain.events import Event, RunFinished
from app.domain.task import TaskState
from app.runs.event_log import append_event
from app.runs.files import storage_errors
from app.services.recording import Recorder, complete_ending, ending, lost

logger = logging.getLogger(__name__)

ENGINE = (sys.executable, "-u", "-m", "app.train")
POLL_SECONDS = 0.2
RENEW_SECONDS = 15.0
SECONDS_TO_SAVE = 60.0
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


@dataclass(frozen=True)
class Supervisor:
    """`listener` hears each event after it is recorded; `engine` is the command that the run directory is added to."""

    recorder: Recorder
    listener: Callable[[Event], None]
    stop: StopRequest
    engine: Sequence[str] = ENGINE

    def run(self) -> RunFinished:
        """Run the engine to its end and record how it ended; the outcome as recorded."""
        process = self._start()
        try:
            heard = self._follow(process)
        except BaseException:
            # Nobody would record what this child does from here on.
            _end(process)
            raise
        finished = ending(heard, self.recorder.claim.attempt) or self._write_ending(process.returncode)
        self.recorder.finish(finished)
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
            )

    def _follow(self, process: subprocess.Popen[bytes]) -> list[Event]:
        endings: list[Event] = []
        signals_sent, renewed = 0, time.monotonic()
        while True:
            ended = process.poll() is not None
            try:
                for event in self.recorder.take_new():
                    self.listener(event)
                    if isinstance(event, RunFinished):
                        endings.append(event)
                if time.monotonic() - renewed > RENEW_SECONDS:
                    self._renew()
                    renewed = time.monotonic()
            except StorageError as error:
                # The engine goes on: its events are safe in the file and are taken in when the database is back.
                if ended:
                    raise
                logger.warning("the database cannot be written, trying again: %s", error.message)
            if ended:
                return endings
            while signals_sent < min(self.stop.times, len(STOP_SIGNALS)):
                _send(process, STOP_SIGNALS[signals_sent])
                signals_sent += 1
            try:
                process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue

    def _renew(self) -> None:
        claim = self.recorder.claim
        with self.recorder.database.write() as session:
            if not tasks.renew_lease(session, claim.task_id, claim.token):
                raise Conflict(
                    f"run {self.recorder.run.name!r} was taken over by another process", code="run.taken_over"
                )

    def _write_ending(self, return_code: int) -> RunFinished:
        """Speak for a child that died silently, in the database and in the run's own file."""
        finished = complete_ending(self.recorder.run) or self._explain(return_code).model_copy(
            update={"attempt": self.recorder.claim.attempt}
        )
        append_event(self.recorder.run.events, finished)
        for event in self.recorder.take_new():
            self.listener(event)
        return finished

    def _explain(self, return_code: int) -> RunFinished:
        if return_code == -signal.SIGKILL and self.stop.times > 1:
            return lost("stopped at once, on request").model_copy(
                update={"state": TaskState.REVOKED, "error_code": "run.killed"}
            )
        if return_code < 0 and self.stop.times:
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


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let the child save and stop; kill it when it does not."""
    _send(process, signal.SIGTERM)
    try:
        process.wait(SECONDS_TO_SAVE)
    except subprocess.TimeoutExpired:
        _send(process, signal.SIGKILL)
        process.wait()


def _send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the child; on a kill also whatever it started."""
    try:
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    except ProcessLookupError:
        pass


def _last_line(log: Path, tail_bytes: int = 4096) -> str:
    """The last non-empty line of a log, at most 300 characters."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - tail_bytes))
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""

"""One `finetune start` for each results directory: a lock that its programs share, and a note of whose it is.

The programs inherit the lock, so it is free only when the last of them has ended, whatever the one that started them
died of.
"""

import fcntl
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from app.domain.errors import Conflict, NotFound, PlatformError, StorageError
from app.runs.files import read_record, storage_errors, write_json

POLL_SECONDS = 0.1
SECONDS_TO_END = 30.0
"""For the programs of a start that was killed: they are told by the kernel, and save what they do."""


class Started(BaseModel):
    """Who runs the platform, and where it answers."""

    model_config = ConfigDict(frozen=True)

    pid: int
    hostname: str
    addresses: dict[str, str]


class StartLock:
    """Held by one start at a time; `descriptor` is for its programs to inherit."""

    def __init__(self, results_dir: Path, descriptor: int) -> None:
        self._results_dir, self.descriptor = results_dir, descriptor

    def note(self, addresses: dict[str, str]) -> None:
        """Let others know who holds it."""
        started = Started(pid=os.getpid(), hostname=socket.gethostname(), addresses=addresses)
        write_json(_note(self._results_dir), started.model_dump())


@contextmanager
def start_lock(results_dir: Path) -> Iterator[StartLock]:
    """Hold the lock; Conflict says who does, after the programs of a killed start had their time to end."""
    results_dir = results_dir.resolve()
    with storage_errors(results_dir):
        results_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(_lock(results_dir), os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + SECONDS_TO_END
    try:
        while not _take(descriptor):
            owner = running(results_dir)
            if owner is not None or time.monotonic() > deadline:
                raise _taken(results_dir, owner)
            time.sleep(POLL_SECONDS)
        lock = StartLock(results_dir, descriptor)
        lock.note({})
        try:
            yield lock
        finally:
            _note(results_dir).unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def running(results_dir: Path) -> Started | None:
    """Who runs the platform on this results directory; None where nobody does, or the start was killed."""
    note = _note(results_dir)
    if not note.is_file() or not _is_locked(results_dir):
        return None
    try:
        started = read_record(note, Started)
    except StorageError:
        return None
    if started.hostname != socket.gethostname():
        return started
    return started if _is_alive(started.pid) else None


def stop(results_dir: Path, seconds: float) -> Started:
    """Ask the start that runs to stop, and wait for its end; NotFound where none runs."""
    started = running(results_dir)
    if started is None:
        raise NotFound(f"nothing was started on {results_dir}", hint="start it with: finetune start")
    if started.hostname != socket.gethostname():
        raise Conflict(f"it runs on {started.hostname}", hint="stop it there")
    os.kill(started.pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while _is_locked(results_dir):
        if time.monotonic() > deadline:
            raise PlatformError(
                f"process {started.pid} has not stopped in {seconds:g} s",
                hint="look at its log; a second `finetune stop` kills everything",
                code="start.not_stopped",
            )
        time.sleep(POLL_SECONDS)
    return started


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_locked(results_dir: Path) -> bool:
    try:
        descriptor = os.open(_lock(results_dir), os.O_RDWR)
    except OSError:
        return False
    try:
        return not _take(descriptor)
    finally:
        os.close(descriptor)


def _taken(results_dir: Path, owner: Started | None) -> Conflict:
    if owner is None:
        return Conflict(
            f"programs of an earlier start on {results_dir} have not ended yet",
            hint="see which with: ps -ef | grep finetune; end them, then start again",
            code="start.unfinished",
        )
    where = f" at {', '.join(owner.addresses.values())}" if owner.addresses else ""
    return Conflict(
        f"{results_dir} is in use: process {owner.pid} on {owner.hostname} runs the platform{where}",
        hint="stop it with: finetune stop; or set RESULTS_DIR to another directory",
        code="start.running",
    )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _lock(results_dir: Path) -> Path:
    return results_dir / ".platform.lock"


def _note(results_dir: Path) -> Path:
    return results_dir / "platform.json"

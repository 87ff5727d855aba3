"""One run, one writer: an exclusive lock on the run directory that dies with its process."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.domain.errors import Conflict
from app.domain.manifest import Attempt
from app.runs.directory import RunDirectory
from app.runs.files import read_record, storage_errors, write_json

_LOOK_SECONDS = 0.05


@contextmanager
def run_lock(run: RunDirectory, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the run for writing; Conflict when another process has it, and has it still after `wait_seconds`."""
    path = run.path / ".lock"
    with storage_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + wait_seconds
        while not _try_to_lock(descriptor):
            if time.monotonic() >= deadline:
                raise Conflict(
                    f"run {run.name!r} is being written by another process",
                    hint="wait for it, or stop it first",
                    code="run.locked",
                )
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _try_to_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(run: RunDirectory) -> bool:
    """Whether a living process holds the run."""
    try:
        with run_lock(run):
            return False
    except Conflict:
        return True


def read_attempt(run: RunDirectory) -> Attempt | None:
    """The attempt that owns the run, or None before the first; StorageError when attempt.json is damaged."""
    if not run.attempt.is_file():
        return None
    return read_record(run.attempt, Attempt)


def _sure() -> None:
    """Nothing to make sure of."""


def next_attempt(run: RunDirectory, token: str, make_sure: Callable[[], None] = _sure, *, at_least: int = 1) -> Attempt:
    """Take the run over: from now on earlier attempts may not write.

    Its number is above that of the last one, and `at_least` so high: attempts may have failed before they got here.

    `make_sure` raises where the right to do so was lost. Nobody else takes the run over between that and the writing,
    so of two that try, the one whose right is newer comes last.
    """
    path = run.path / ".attempt.lock"
    with storage_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        make_sure()
        current = read_attempt(run)
        attempt = Attempt(number=max(at_least, current.number + 1 if current else 1), token=token)
        write_json(run.attempt, attempt.model_dump())
    finally:
        os.close(descriptor)
    return attempt

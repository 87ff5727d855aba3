"""Have rows read by a child process: started here, watched, stopped when it takes too much or nobody waits for it.

What it may do is limited by itself (`confinement`) and again from here: memory and time are measured.
"""

import json
import logging
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from app.domain import errors
from app.domain.data_report import ValidationReport
from app.domain.errors import PlatformError
from app.domain.wording import Said, Sentence, say
from app.services import disk_room
from app.services.confinement import Limits
from app.services.data_actions import READER_FAILED
from app.settings import bare_environment

logger = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 16 * 2**20
"""An answer is held in memory here."""
POLL_SECONDS = 0.1
SECONDS_TO_END = 3.0
_WRITES = frozenset({"add", "export", "validate"})
"""Actions that unpack, store or copy, and end before the disk is full; the others are for a full disk too."""
_PIECE = 1 << 16
_MIB = 2**20

Progress = Callable[[str, int, int | None], None]
"""Hears what is being done, how many rows of it are done, and of how many where that is known."""
Stopped = Callable[[], bool]
"""Whether nobody waits for the answer any more."""


def no_progress(what: str, done: int, total: int | None) -> None:
    """Nobody asked."""


@dataclass(frozen=True)
class Bounds:
    """What a piece of work may take; `seconds` on the wall, `cpu_seconds` of all its threads."""

    memory_bytes: int = 1536 * _MIB
    seconds: float = 300.0
    cpu_seconds: int = 240
    file_bytes: int = 1024 * _MIB


@dataclass(frozen=True)
class Work:
    """One request: the child's working directory, what people call the files in it, and the action's own fields."""

    action: str
    results_dir: Path
    directory: Path
    fields: Mapping[str, Any]
    shown_as: Mapping[str, str] = field(default_factory=dict)
    bounds: Bounds = Bounds()


def run(work: Work, stopped: Stopped, progress: Progress = no_progress) -> dict[str, Any]:
    """The answer of a child that does the work; raises what it raised.

    TooLarge where it takes more than its bounds, DataUnreadable where it crashes over a file, ServiceUnavailable where
    `stopped` says that nobody waits any more.
    """
    if stopped():
        raise _stopped()
    temporary = work.directory / "tmp"
    temporary.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "app.services.data_child"]
    with tempfile.TemporaryFile() as complaints:
        # In a session of its own: the terminal's Ctrl-C is for the server, which ends its children itself.
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=bare_environment(temporary),
            start_new_session=True,
        )
        watch = _Watch(process, work, stopped, progress)
        try:
            answer = watch.until_the_end()
        finally:
            _end(process)
        if answer is None:
            raise _crashed(process.returncode, work, complaints)
        if "error" in answer:
            if answer["error"]["code"] == READER_FAILED:
                logger.error("a file could not be read: %s", _said(complaints))
            raise _error(answer["error"])
    logger.info("%s took %s", work.action, answer.get("usage"))
    result: dict[str, Any] = answer["result"]
    return result


class _Watch:
    """Hears a child out, as long as it keeps to its bounds."""

    def __init__(self, process: subprocess.Popen[bytes], work: Work, stopped: Stopped, progress: Progress) -> None:
        self._process, self._work, self._stopped, self._progress = process, work, stopped, progress
        self._deadline = time.monotonic() + work.bounds.seconds
        self._heard = bytearray()
        self._answer: dict[str, Any] | None = None

    def until_the_end(self) -> dict[str, Any] | None:
        """Its last word; None where it ended without one."""
        self._ask()
        output = self._process.stdout
        assert output is not None
        while True:
            if select.select([output], [], [], POLL_SECONDS)[0]:
                piece = os.read(output.fileno(), _PIECE)
                if not piece:
                    with suppress(subprocess.TimeoutExpired):
                        self._process.wait(SECONDS_TO_END)
                    return self._answer
                self._hear(piece)
            self._check()

    def _ask(self) -> None:
        work = self._work
        limits = Limits(work.bounds.memory_bytes, work.bounds.cpu_seconds, work.bounds.file_bytes)
        request = {
            **work.fields,
            "action": work.action,
            "limits": limits._asdict(),
            "parent": os.getpid(),
            "results_dir": str(work.results_dir.resolve()),
            "directory": str(work.directory.resolve()),
            "shown_as": dict(work.shown_as),
            "places": {str(work.directory.resolve()): "upload", str(work.results_dir.resolve()): "results"},
        }
        asked = self._process.stdin
        assert asked is not None
        with suppress(BrokenPipeError), asked:  # one that died at its start is noticed by its silence
            asked.write(json.dumps(request).encode())

    def _hear(self, piece: bytes) -> None:
        self._heard += piece
        if len(self._heard) > MAX_ANSWER_BYTES:
            raise errors.TooLarge(
                say(
                    "what is to be said of this is longer than {max_answer_bytes} MiB",
                    max_answer_bytes=MAX_ANSWER_BYTES // _MIB,
                ),
                hint="ask for fewer rows, or send a file with fewer labels and columns",
            )
        *lines, rest = self._heard.split(b"\n")
        self._heard = bytearray(rest)
        for line in lines:
            message: dict[str, Any] = json.loads(line)
            if "progress" in message:
                self._progress(*message["progress"])
            else:
                self._answer = message

    def _check(self) -> None:
        bounds = self._work.bounds
        if self._stopped():
            raise _stopped()
        if time.monotonic() > self._deadline:
            raise _too_slow(bounds.seconds)
        if _resident_bytes(self._process.pid) > bounds.memory_bytes:
            raise _too_big(bounds.memory_bytes)
        if self._work.action in _WRITES:
            disk_room.check(self._work.directory)


def _resident_bytes(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0  # it has ended, which its silence tells


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let it clean up, for a moment; then not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _stopped() -> PlatformError:
    return errors.ServiceUnavailable(
        "it was stopped before it was done", hint="send the request again", code="request.stopped"
    )


def _too_slow(seconds: float) -> PlatformError:
    return errors.TooLarge(
        say("this takes more than {seconds:,.0f} seconds, which is all there are for it", seconds=seconds),
        hint="send less at once, or with `Prefer: respond-async`",
        code="data.too_costly",
    )


def _too_big(memory_bytes: int) -> PlatformError:
    return errors.TooLarge(
        say(
            "this takes more than {memory_bytes:,.0f} MiB of memory, which is all there are for it",
            memory_bytes=memory_bytes / _MIB,
        ),
        hint="send less at once, or with `Prefer: respond-async`",
        code="data.too_costly",
    )


def _crashed(status: int, work: Work, complaints: IO[bytes]) -> PlatformError:
    """Why a child had no last word: a bound of the operating system, or a fault while it read a file."""
    said = _said(complaints)
    if status == -signal.SIGXCPU:
        return _too_slow(work.bounds.cpu_seconds)
    if "bad_alloc" in said or "MemoryError" in said:
        return _too_big(work.bounds.memory_bytes)
    if status in (-signal.SIGKILL, -signal.SIGTERM):
        return errors.ServiceUnavailable(
            "the process that did this was ended from outside", hint="is there memory for it? try again later"
        )
    logger.error("the child that should %s ended with %s: %s", work.action, status, said)
    if work.shown_as and status < 0:
        return errors.DataUnreadable(
            "the file cannot be read: its reader crashed", hint="is it whole, and what its name says?"
        )
    return PlatformError("the rows could not be read; the log of the server has the reason")


def _said(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    return complaints.read(_PIECE).decode(errors="replace")


def _error(described: dict[str, Any]) -> PlatformError:
    """The child's error, as it was raised there."""
    said = {name: Sentence.model_validate(one) for name, one in described.get("said", {}).items()}
    message, hint = (Said.of(described[name], said.get(name)) for name in ("message", "hint"))
    kind = getattr(errors, described["kind"], PlatformError)
    if kind is errors.AmbiguousColumns:
        unclear = errors.AmbiguousColumns(message, role=described["role"], choices=described["choices"], hint=hint)
        unclear.places = [(f"/{unclear.role}_column", f"one of {', '.join(unclear.choices)}")]
        return unclear
    if kind is errors.DataBlocked:
        reports = {split: ValidationReport.model_validate(one) for split, one in described["reports"].items()}
        return errors.DataBlocked(message, hint=hint, reports=reports)
    error: PlatformError = kind(message, hint=hint)
    error.code = described["code"]
    return error

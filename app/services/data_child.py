"""`python -m app.services.data_child`: read, check or write rows for a process that must stay small.

It is given one request as JSON on stdin and answers on stdout, one JSON object a line: `{"progress": [what, done,
total]}` while it goes on, and last `{"result": ...}` or `{"error": ...}`, each with `usage`. What it may do is limited
by `confinement`, what it can do stands in `data_actions`; it is started by `data_work`.
"""

import contextlib
import errno
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from app.domain import errors
from app.domain.errors import PlatformError
from app.domain.wording import made_of
from app.services import disk_room
from app.services.confinement import Limits, confine
from app.services.file_names import with_shown_names

PROGRESS_SECONDS = 0.25
MAX_MESSAGE_CHARS = 2_000
MAX_CHOICES = 100
Say = Callable[[dict[str, Any]], None]


def main() -> int:
    """Do what stdin asks; 0 where an answer was given, be it an error."""
    say = _speaker()
    request = json.loads(sys.stdin.buffer.read())
    signal.signal(signal.SIGTERM, _end)
    inherited = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    limits = Limits(**request["limits"])
    confine(limits, request["parent"])
    os.chdir(request["directory"])
    # A limit that was there before is the disk's quota, not ours.
    disk_errors = {errno.ENOSPC, errno.EDQUOT, *([errno.EFBIG] if 0 < inherited < limits.file_bytes else [])}
    try:
        from app.services import data_actions

        with _watched(say):
            answer = {"result": data_actions.ACTIONS[request["action"]](request)}
    except (PlatformError, OSError, MemoryError, RecursionError) as error:
        text = json.dumps({"error": _described(_as_ours(error, limits), disk_errors)})
        answer = json.loads(with_shown_names(text, {**request["shown_as"], **request["places"]}))
    say({**answer, "usage": _usage()})
    return 0


def _as_ours(error: BaseException, limits: Limits) -> PlatformError:
    """What is wrong with a file, where a library says it in its own words."""
    if isinstance(error, PlatformError):
        return error
    made: PlatformError
    if isinstance(error, MemoryError):
        made = errors.TooLarge(
            f"reading the file takes more than {limits.memory_bytes / 2**20:,.0f} MiB of memory",
            hint="send it in several parts, or with `Prefer: respond-async`",
        )
    else:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        made = errors.DataUnreadable(f"the file cannot be read: {reason}", hint="is it whole, and what its name says?")
    made.__cause__ = error
    return made


def _speaker() -> Say:
    """Writes to what was stdout; what libraries print goes to stderr, where it does no harm."""
    channel = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)

    def say(message: dict[str, Any]) -> None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    return say


def _end(*_signal_and_frame: object) -> None:
    """Leave by way of every `finally`, so that nothing half-written stays."""
    raise SystemExit(128 + signal.SIGTERM)


@contextlib.contextmanager
def _watched(say: Say) -> Iterator[None]:
    """Tell of the progress of work on rows, a few times a second."""
    from app.data.progress import watched_by

    last = 0.0

    def watch(what: str, done: int, total: int | None) -> None:
        nonlocal last
        if time.monotonic() - last >= PROGRESS_SECONDS:
            last = time.monotonic()
            say({"progress": [what, done, total]})

    with watched_by(watch):
        yield


def _described(error: PlatformError, disk_errors: set[int]) -> dict[str, Any]:
    """An error as JSON; one that a full disk or our own limit is behind is told as that."""
    number = _system_error(error)
    if number in disk_errors:
        error = disk_room.full()
    elif number == errno.EFBIG:
        error = errors.TooLarge("unpacked, the file is larger than is taken here", hint="send it in several parts")
    elif number == errno.ENOMEM and not isinstance(error, errors.TooLarge):
        error = errors.TooLarge("reading the file takes more memory than there is for it", hint="send it in parts")
    described: dict[str, Any] = {
        "kind": type(error).__name__,
        "message": _cut(error.message),
        "hint": _cut(error.hint),
        "code": error.code,
        "said": _made_of({"message": error.message, "hint": error.hint}),
    }
    if isinstance(error, errors.AmbiguousColumns):
        described |= {"role": error.role, "choices": [_cut(name) for name in error.choices[:MAX_CHOICES]]}
    if isinstance(error, errors.DataBlocked):
        described["reports"] = {split: report.model_dump(mode="json") for split, report in error.reports.items()}
    return described


def _made_of(texts: dict[str, str]) -> dict[str, Any]:
    """What the texts were made of, where a file has not made it too long."""
    made = {name: sentence.model_dump() for name, text in texts.items() if (sentence := made_of(text)) is not None}
    return {name: one for name, one in made.items() if len(json.dumps(one)) <= MAX_MESSAGE_CHARS}


def _cut(text: str) -> str:
    """A file may have made it as long as it likes."""
    return text if len(text) <= MAX_MESSAGE_CHARS else text[: MAX_MESSAGE_CHARS - 1] + "…"


def _system_error(error: BaseException | None) -> int | None:
    """The number of the operating system's error that began it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        if isinstance(error, MemoryError):
            return errno.ENOMEM
        error = error.__cause__ or error.__context__
    return None


def _usage() -> dict[str, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1 if sys.platform == "darwin" else 1024
    return {"peak_bytes": used.ru_maxrss * unit, "cpu_seconds": used.ru_utime + used.ru_stime}


if __name__ == "__main__":
    sys.exit(main())

"""The one log of `finetune start`: a line for each line of a program, on the terminal and in a file that is rotated."""

import contextlib
import logging
import os
import queue
import re
import sys
import threading
from datetime import UTC, datetime
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from app.cli.output import printable
from app.runs.files import storage_errors

MAX_FILE_BYTES = 10_000_000
KEPT_FILES = 5
MAX_WAITING_LINES = 5000
"""For a terminal that is held (Ctrl-S); what is more is in the file alone."""
NAME_WIDTH = 8

_OURS = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ")
_OF_THE_QUEUE = re.compile(r"^\d+:(?:[A-Z] \d\d \w{3} \d{4} [\d:.]+ [*#.-]|signal-handler \(\d+\)) ")
_NOT_WORTH_A_LINE = ("Memory overcommit must be enabled",)
"""Of the queue's server, at each start: what it holds takes some kilobytes."""
_COLOURS = {"platform": "1", "queue": "35", "api": "36", "worker": "32", "ui": "33", "serve": "34"}


class PlatformLog:
    """Writes at once to the file; to the terminal by a thread, so that one nobody reads from holds up no program."""

    def __init__(self, path: Path) -> None:
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _File(
                path, maxBytes=MAX_FILE_BYTES, backupCount=KEPT_FILES, encoding="utf-8", errors="backslashreplace"
            )
        self._colour = sys.stdout.isatty()
        self._lines: queue.Queue[str | None] = queue.Queue(MAX_WAITING_LINES)
        self._terminal = threading.Thread(target=self._show, daemon=True)
        self._terminal.start()

    def say(self, name: str, line: str) -> None:
        """Log one line of a program, with the time the program gave it, else now."""
        if not line.strip() or any(known in line for known in _NOT_WORTH_A_LINE):
            return
        time, text = _split(printable(line))
        head = f"{name:<{NAME_WIDTH}} |"
        self._file.emit(logging.makeLogRecord({"msg": f"{time} {head} {text}"}))
        colour = _COLOURS.get(name.rstrip("-0123456789"), "") if self._colour else ""
        self.show(f"\x1b[{colour}m{head}\x1b[0m {text}" if colour else f"{head} {text}")

    def show(self, line: str) -> None:
        """Show a line on the terminal alone."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(line)

    def close(self) -> None:
        """Wait a moment until the terminal has shown everything."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=1)
            self._terminal.join(timeout=1)
        with contextlib.suppress(OSError):
            self._file.close()

    def _show(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                print(line, flush=True)
            except (OSError, ValueError):
                continue  # the terminal is gone; the file goes on


class _File(RotatingFileHandler):
    """Files only their owner reads; a disk that is full costs lines, not the platform."""

    def _open(self) -> Any:
        private = partial(os.open, mode=0o600)
        return open(self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=private)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Say nothing: this is where it would be said."""


def _split(line: str) -> tuple[str, str]:
    if found := _OURS.match(line):
        return found[1], line[found.end() :]
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return now, _OF_THE_QUEUE.sub("", line)

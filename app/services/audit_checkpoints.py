"""Signed checkpoints of the audit log, in a file beside the database.

The database's own head shows that the tail of the log was cut, but not that all of it was put back to an older state.
A checkpoint says what the log held at a time, so a database older than that, or one rewritten, is found out. Copies
kept on another machine (`finetune audit verify --expect`) also show when this file was put back with it.
"""

import errno
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from app.domain.audit import AuditHead
from app.domain.errors import AuditUnavailable
from app.domain.wording import say
from app.monitor.audit_utils import is_signed, rfc3339, sign

EVERY_EVENTS = 200
EVERY = timedelta(minutes=10)
_TAIL_BYTES = 4096


@dataclass(frozen=True)
class Checkpoint:
    """The log's last event at a time; `number` counts checkpoints, so that one that was removed is missed.

    `seal` stands in the first line of a file that an administrator began anew: the digest of what is known to be wrong
    before this event.
    """

    number: int
    id: int
    hash: str
    time: str
    seal: str = ""


class CheckpointFile:
    """Appends checkpoints and reads them; callers hold the log's head locked while they append."""

    def __init__(self, path: Path, key: bytes) -> None:
        self.path, self._key = path, key
        self._newest: Checkpoint | None = None
        self._lock = threading.Lock()

    def keep_up(self, head: AuditHead, now: datetime) -> None:
        """Add a checkpoint when the last one is EVERY_EVENTS or EVERY ago; `head` is committed."""
        with self._lock:
            if not self._is_due(head, now):
                return
            self._catch_up()
            if self._is_due(head, now):
                self._add(head, now)

    def add(self, head: AuditHead, now: datetime) -> Checkpoint:
        """Add a checkpoint; AuditUnavailable where it cannot be written."""
        with self._lock:
            self._catch_up()
            return self._add(head, now)

    def begin_anew(self, head: AuditHead, now: datetime, seal: str) -> None:
        """Put the file aside and begin another one with a seal."""
        with self._lock:
            self._catch_up()
            if self.path.exists():
                self.path.rename(self.path.with_name(f"checkpoints-until-{head.last_id}.jsonl"))
            self._add(head, now, seal)

    def read(self) -> Iterator[tuple[int, Checkpoint | None]]:
        """Every line's number with its checkpoint, or None where the line is damaged or not signed."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield number, self._parsed(line)

    def _is_due(self, head: AuditHead, now: datetime) -> bool:
        newest = self._newest
        if newest is None:
            return head.last_id > 0
        if head.last_id <= newest.id:
            return False
        return head.last_id - newest.id >= EVERY_EVENTS or now - datetime.fromisoformat(newest.time) >= EVERY

    def _add(self, head: AuditHead, now: datetime, seal: str = "") -> Checkpoint:
        number = self._newest.number + 1 if self._newest else 1
        added = Checkpoint(number, head.last_id, head.last_hash, rfc3339(now), seal)
        signature = sign(self._key, "checkpoint", *vars(added).values())
        line = json.dumps({**vars(added), "signature": signature}).encode() + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _append_whole(self.path, line)
        except OSError as error:
            raise AuditUnavailable(
                say("cannot write {path}: {strerror}, so nothing was changed", path=self.path, strerror=error.strerror),
                hint="an administrator must free disk space or mend the permissions",
            ) from error
        self._newest = added
        return added

    def _catch_up(self) -> None:
        """Take over what other processes added; a file that lost lines does not make this one forget them."""
        last = self._last()
        if self._newest is None or (last is not None and last.number > self._newest.number):
            self._newest = last

    def _last(self) -> Checkpoint | None:
        """The newest checkpoint in the file, which another process may have written."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
                lines = file.read().splitlines()
        except OSError:
            return None
        return next((found for line in reversed(lines) if (found := self._parsed(line)) is not None), None)

    def _parsed(self, line: bytes) -> Checkpoint | None:
        try:
            value = json.loads(line)
            signature = str(value.pop("signature"))
            found = Checkpoint(**value)
            is_ours = is_signed(signature, self._key, "checkpoint", *vars(found).values())
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        return found if is_ours and isinstance(found.id, int) else None


def _append_whole(path: Path, line: bytes) -> None:
    """Append a line and see it on the disk; where that fails, nothing of it stays."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)

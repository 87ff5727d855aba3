"""Files of the data store: whole or not there, sealed with their own hash, guarded by one lock."""

import errno
import fcntl
import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from app.domain.errors import DatasetDamaged, StorageError
from app.domain.wording import say

Record = TypeVar("Record", bound=BaseModel)
TEMPORARY_SUFFIX = ".tmp"
SEAL = "sha256"


def store_directory(results_dir: Path) -> Path:
    """Everything the store keeps lies below it."""
    return results_dir / "datasets"


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn operating-system errors about `path` into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        hint = "free some disk space and try again" if full else "check free space and permissions, or set RESULTS_DIR"
        raise StorageError(
            say("cannot write {path}: {strerror}", path=path, strerror=error.strerror or error),
            hint=hint,
            code="storage.full" if full else "storage.failed",
        ) from error


def write_whole(path: Path, content: bytes, *, exclusive: bool = False) -> bool:
    """Write a file so that it appears whole or not at all; False when `exclusive` and there is one already."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}{TEMPORARY_SUFFIX}")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if not exclusive:
                temporary.replace(path)
                return True
            try:
                path.hardlink_to(temporary)
            except FileExistsError:
                return False
            return True
        finally:
            temporary.unlink(missing_ok=True)


def _seal(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_record(path: Path, record: BaseModel) -> None:
    """Write a record as JSON with a hash of its content; as `write_whole`."""
    content = record.model_dump(mode="json")
    text = json.dumps({**content, SEAL: _seal(content)}, ensure_ascii=False, indent=2)
    write_whole(path, (text + "\n").encode())


def read_record(path: Path, kind: type[Record]) -> Record:
    """Read a record back; DatasetDamaged, naming the file, where it is not what was written."""
    try:
        content = json.loads(path.read_bytes())
        if content.pop(SEAL) != _seal(content):
            raise ValueError("its content does not have the hash it was sealed with")
        return kind.model_validate(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        reason = "a field is missing or wrong" if isinstance(error, ValidationError | KeyError) else str(error)
        raise DatasetDamaged(
            say("{path} is damaged: {reason}", path=path, reason=reason),
            hint="bring the file back from a backup, or add the data again",
        ) from error


@contextmanager
def _locked(path: Path, patience_seconds: float | None = None) -> Iterator[None]:
    """Hold the lock at `path`; waits for who holds it, StorageError after `patience_seconds`.

    The lock dies with its process.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if patience_seconds is None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        else:
            _lock_within(descriptor, path, patience_seconds)
        yield
    finally:
        os.close(descriptor)


def _lock_within(descriptor: int, path: Path, patience_seconds: float) -> None:
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise StorageError(
                    say("{parent} is being written to", parent=path.parent), hint="try again later", code="storage.busy"
                ) from error
        time.sleep(0.1)


def store_lock(results_dir: Path, patience_seconds: float | None = None) -> AbstractContextManager[None]:
    """Be the one process that changes the store's content; StorageError where that takes longer than said."""
    return _locked(store_directory(results_dir) / ".lock", patience_seconds)


def names_lock(results_dir: Path) -> AbstractContextManager[None]:
    """Be the one process that changes what names stand for; may be taken while holding `store_lock`, not before it."""
    return _locked(store_directory(results_dir) / "names" / ".lock")

"""Files that are either whole or not there: atomic writes, JSON records, sha256."""

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from app.domain.errors import StorageError

Record = TypeVar("Record", bound=BaseModel)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn operating-system errors about `path` into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        hints = {
            errno.ENOSPC: "free some disk space, then resume the run",
            errno.EDQUOT: "free some of your disk quota, then resume the run",
            errno.EACCES: "check the directory's owner and permissions, or set RESULTS_DIR",
            errno.EPERM: "check the directory's owner and permissions, or set RESULTS_DIR",
            errno.EROFS: "the file system is read-only; set RESULTS_DIR to a writable place",
        }
        code = "storage.full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "storage.failed"
        raise StorageError(f"cannot write {path}: {reason}", hint=hints.get(error.errno or 0, ""), code=code) from error


def fsync_directory(path: Path) -> None:
    """Make renames inside `path` survive a power cut; a no-op where directories cannot be opened."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that a reader sees the old file or the whole new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        fsync_directory(path.parent)


def size_of(directory: Path) -> int:
    """What the files below a directory take, in bytes; what goes away meanwhile is passed over."""
    size = 0
    for path in directory.rglob("*"):
        with suppress(OSError):
            size += path.lstat().st_size if not path.is_dir() else 0
    return size


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys: equal values give equal bytes."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file for people and programs, atomically."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    write_bytes_atomic(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """Read a JSON file; StorageError names it when it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {path}: {error}", code="storage.unreadable") from error


def read_record(path: Path, kind: type[Record]) -> Record:
    """Read a JSON file as a record; StorageError names the file and the first wrong key."""
    try:
        return kind.model_validate(read_json(path))
    except ValidationError as error:
        raise StorageError(f"cannot read {path}: {first_fault(error)}", code="storage.unreadable") from error


def first_fault(error: ValidationError) -> str:
    """The first of the things that are wrong, as `key: what`, on one line."""
    fault = error.errors()[0]
    key = ".".join(str(part) for part in fault["loc"])
    return f"{key}: {fault['msg']}" if key else str(fault["msg"])


def sha256_bytes(content: bytes) -> str:
    """Hex sha256 of `content`."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_tree(root: Path) -> dict[str, str]:
    """Map every file below `root` (POSIX path relative to it) to its sha256, sorted by path."""
    files = sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink())
    return {p.relative_to(root).as_posix(): sha256_file(p) for p in files}


def tree_size(root: Path) -> int:
    """Bytes of all files below `root`."""
    return sum(p.stat().st_size for p in root.rglob("*") if p.is_file())

"""The part of the disk that stays free, whoever sends or copies files: the database and the runs of others need it."""

import shutil
from pathlib import Path

from app.domain.errors import StorageError

MIN_FREE_BYTES = 64 * 2**20


def check(directory: Path, more_bytes: int = 0) -> None:
    """StorageError `storage.full` where so much more would leave too little of the disk the directory is on."""
    if shutil.disk_usage(directory).free < more_bytes + MIN_FREE_BYTES:
        raise full()


def full() -> StorageError:
    """A full disk, told without names of this server."""
    return StorageError(
        "the disk of the server is full", hint="ask an administrator to free some space", code="storage.full"
    )

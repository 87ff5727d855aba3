"""A small file system that can be full for a while, where this user may mount one."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_BYTES = 4_000_000_000


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system of its own in a folder; None where this user may not mount one. After a failure a copy is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    except BaseException:
        shutil.copytree(folder, folder.with_name(f"{folder.name}-as-it-was"), symlinks=True, ignore=_sockets)
        raise
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no space on it for as long as the block runs."""
    _shrink(disk)
    try:
        yield
    finally:
        assert _resize(disk, DISK_BYTES) is None


def _shrink(disk: Path) -> None:
    """Take all free space away; what was written while that was looked up needs another try."""
    for _ in range(50):
        space = os.statvfs(disk)
        reason = _resize(disk, (space.f_blocks - space.f_bfree) * space.f_frsize + 65_536)
        if reason is None:
            return
    raise AssertionError(reason)


def _resize(disk: Path, size: int) -> bytes | None:
    """None where it was done, else why not."""
    done = subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], capture_output=True, check=False)
    return done.stderr if done.returncode else None


def _sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_socket()]

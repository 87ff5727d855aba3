"""Waiting for what other processes do, with the patience a busy machine needs."""

import time
from collections.abc import Callable, Iterable

import psutil

PATIENCE_SECONDS = 120


def wait_until(holds: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Return as soon as something holds; fail with `what` was waited for."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked for its status yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until_gone(pids: Iterable[int]) -> None:
    """Return when all of these have ended."""
    left = set(pids)
    wait_until(lambda: not {pid for pid in left if not is_gone(pid)}, f"the end of {left}")

"""How far long work on rows has come, told to whoever watches; where nobody does, nothing is counted."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
Watcher = Callable[[str, int, int | None], None]
"""Hears what is being done, how many rows of it are done, and of how many, None where that is not known."""

EVERY_ROWS = 5_000
_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Tell `watcher` of the work in this block."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def counted(items: Iterable[Item], what: str, total: int | None = None) -> Iterable[Item]:
    """The items as they are; the watcher hears at the start, every 5,000 of them, and at the end."""
    watcher = _watcher.get()
    return items if watcher is None else _counted(items, what, total, watcher)


def _counted(items: Iterable[Item], what: str, total: int | None, watcher: Watcher) -> Iterator[Item]:
    done = 0
    watcher(what, 0, total)
    for item in items:
        yield item
        done += 1
        if done % EVERY_ROWS == 0:
            watcher(what, done, total)
    watcher(what, done, done)


def report(what: str, done: int, total: int | None) -> None:
    """Tell the watcher, where there is one, of work that is not done row by row."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher(what, done, total)

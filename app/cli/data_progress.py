"""A progress bar on stderr for long work on rows: what is being done, rows, rows a second, time left."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from app.domain.quantities import format_duration

SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def shown() -> Iterator[None]:
    """Show how far the work on rows in this block is: a bar on a terminal, now and then a line elsewhere."""
    from app.data.progress import watched_by

    with watched_by(_Lines()) if not sys.stderr.isatty() else _bars():
        yield


class _Lines:
    """One line for work that takes longer than a few seconds, and every few seconds another."""

    def __init__(self) -> None:
        self._what, self._started, self._last_line = "", 0.0, time.monotonic()

    def __call__(self, what: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if what != self._what or done == 0:
            self._what, self._started = what, now
            if done:
                return  # how long that took is not known
        if now - self._last_line < SECONDS_BETWEEN_LINES or done == 0:
            return
        self._last_line = now
        rate = done / max(1e-9, now - self._started)
        of = f" of {total:,}, {format_duration((total - done) / rate)} to go" if total and total > done else ""
        print(f"{what}: {done:,} rows{of}, {rate:,.0f} rows/s", file=sys.stderr)


@contextmanager
def _bars() -> Iterator[None]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from app.data.progress import watched_by

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None, rate="")

        def watch(what: str, done: int, total: int | None) -> None:
            if done == 0:
                bars.reset(task, description=what, total=total, rate="")
            speed = bars.tasks[0].speed
            bars.update(task, completed=done, total=total, rate=f"{speed:,.0f} rows/s" if speed else "")

        with watched_by(watch):
            yield

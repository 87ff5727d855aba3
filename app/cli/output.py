"""The one place that prints: tables and sentences for people, JSON for programs, errors in one line."""

import json
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.domain.errors import InvalidInput, PlatformError

DATA_SOURCES = "csv, tsv, jsonl, json, parquet, xlsx, text, zip, gz, a folder of class files, or hub:ID"
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What steers a terminal or turns the order of text around, and halves of characters; not tab and line break."""


def printable(text: str) -> str:
    r"""The text with what would steer a terminal shown escaped, as in `\x1b`."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def short(value: Any) -> str:
    """A value of a plan in a few words: a long list is counted."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) if len(value) <= 4 else f"{len(value)} names"
    return "-" if value is None else str(value)


def show_json(value: Any) -> None:
    """Print one JSON document; non-ASCII text stays readable."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def show_json_line(value: Any) -> None:
    """Print one JSON document on one line."""
    print(json.dumps(value, ensure_ascii=False, default=str), flush=True)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> None:
    """Print a table; numbers are right-aligned, empty cells show as a dash, brackets and colons as they are."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=None if title is None else Text(printable(title)), title_justify="left", header_style="bold")
    for index, name in enumerate(columns):
        numeric = any(isinstance(row[index], int | float) for row in rows)
        table.add_column(Text(printable(name)), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("-" if cell is None or cell == "" else printable(str(cell))) for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    console.print(table)


@contextmanager
def progress_bar(total: int, title: str, *, show: bool) -> Iterator[Callable[[int], None]]:
    """A bar with the time that remains, on stderr of a terminal; yields what to call with the number done."""
    if not show or not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def progress_stages(*, show: bool) -> Iterator[Callable[[str, int, int], None]]:
    """As `progress_bar`, a bar for each stage; yields what to call with a stage, the number done and the total."""
    if not show or not sys.stderr.isatty():
        yield lambda _stage, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def hear(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done)

        yield hear


def show_error(error: PlatformError) -> None:
    """One line for the fault and one for the way out, on stderr; of a server's own fault also what it calls it."""
    show_failure(error.message, error.hint)
    if error.request_id and error.code == "server.failed":
        print(f"  request: {printable(error.request_id)}", file=sys.stderr)


def show_failure(message: str, hint: str = "") -> None:
    """What went wrong and, where one is known, the way out, on stderr."""
    print(f"error: {printable(message)}", file=sys.stderr)
    if hint:
        print(f"  hint: {printable(hint)}", file=sys.stderr)


def exit_status(error: PlatformError) -> int:
    """2 for wrong usage or unreadable input, 1 for everything that failed or is blocked."""
    return EXIT_USAGE if isinstance(error, InvalidInput) else EXIT_FAILED


def log_crash() -> Path | None:
    """Append the current exception's traceback to `cli-errors.log` in the results directory; None where it cannot."""
    from app.settings import get_settings

    crash = traceback.format_exc()
    try:
        path = get_settings().results_dir / "cli-errors.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"--- {datetime.now(UTC).isoformat()} {sys.argv}\n{crash}\n")
    except (OSError, PlatformError):
        return None
    return path

"""`python -m app.tools.checkpoint_manager list|prune RUN`: a run's checkpoints, recorded in a database or not."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from app.db.session import Database
from app.domain.errors import InvalidInput, PlatformError
from app.domain.quantities import format_bytes
from app.runs.directory import RunDirectory, is_run, open_run
from app.services import terminal
from app.services.checkpoints import list_checkpoints, parse_keep, plan_pruning, prune
from app.services.installation import database_of
from app.settings import Settings, get_settings

COLUMNS = ("step", "epoch", "accuracy", "loss", "seconds", "kept as", "size", "files")


def show_list(run: RunDirectory, as_json: bool) -> None:
    """Print a run's checkpoints; every file is compared with what was saved."""
    found = list_checkpoints(run)
    if as_json:
        _print_json(found)
    else:
        _print_table(found)


def _unrecorded(**_details: Any) -> AbstractContextManager[None]:
    """Where nobody keeps an audit log."""
    return nullcontext()


def _recorded(run: RunDirectory, database: Database, settings: Settings) -> Callable[..., AbstractContextManager[None]]:
    """In the audit log of the installation whose run it is."""
    theirs = settings if run.results_dir == settings.results_dir.resolve() else Settings(results_dir=run.results_dir)
    log = terminal.audit_log_of(database, theirs)
    return lambda **details: terminal.recorded(log, "checkpoint.prune", f"experiment:{run.name}", **details)


def show_pruning(
    run: RunDirectory,
    keep: str | None,
    yes: bool,
    as_json: bool,
    database: Database | None,
    recorded: Callable[..., AbstractContextManager[None]] = _unrecorded,
) -> None:
    """Print which checkpoints no reason keeps and, with `yes`, remove them inside of `recorded(**details)`."""
    reasons = parse_keep(keep) if keep is not None else None
    going, gained = plan_pruning(run, reasons), 0
    if yes and going:
        with recorded(steps=[one["step"] for one in going], bytes=sum(one["size_bytes"] for one in going)):
            gained = prune(run, reasons, database)
    if as_json:
        _print_json({"removed": yes, "checkpoints": going})
    elif not going:
        print("nothing to remove")
    else:
        _print_table(going)
        total = format_bytes(sum(one["size_bytes"] for one in going))
        removed = f"removed {len(going)}, {format_bytes(gained)} gained"
        print(removed if yes else f"these {len(going)} ({total}) would go; give --yes to remove them")


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def _print_table(found: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in ("kept as", "files") else "right", overflow="fold")
    for one in found:
        table.add_row(*(Text(cell) for cell in _cells(one)))
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(table)


def _cells(one: dict[str, Any]) -> list[str]:
    scores = one["metrics"] or {}
    accuracy, loss = scores.get("accuracy"), scores.get("loss")
    return [
        str(one["step"]),
        "-" if one["epoch"] is None else f"{one['epoch']:.2f}",
        "-" if accuracy is None else f"{100 * accuracy:.1f} %",
        "-" if loss is None else f"{loss:.4f}",
        "-" if one["train_seconds"] is None else f"{one['train_seconds']:.1f}",
        ", ".join(one["reasons"]) or "-",
        format_bytes(one["size_bytes"]),
        "intact" if one["intact"] else one["damage"],
    ]


def _open(given: str) -> RunDirectory:
    """A run by the path of its directory, or by name."""
    path = Path(given)
    return RunDirectory(path) if path.name != given and is_run(path) else open_run(get_settings().results_dir, given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.tools.checkpoint_manager", description=__doc__)
    parser.add_argument("verb", choices=("list", "prune"))
    parser.add_argument("run", metavar="RUN", help="name of a run, or its directory")
    parser.add_argument("--keep", metavar="best,last,fastest", help="what stays (default: the run's own setting)")
    parser.add_argument("--yes", action="store_true", help="remove; without it prune only shows what would go")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """List or prune; 0 fine, 1 failed, 2 unknown run or wrong usage."""
    given = _parser().parse_args(arguments)
    try:
        run = _open(given.run)
        if given.verb == "list":
            show_list(run, given.json)
        else:
            settings = get_settings()
            database = database_of(run, settings) if given.yes else None
            recorded = _recorded(run, database, settings) if database else _unrecorded
            show_pruning(run, given.keep, given.yes, given.json, database, recorded)
    except PlatformError as error:
        hint = f" ({error.hint})" if error.hint else ""
        print(f"error: {error.message}{hint}", file=sys.stderr)
        return 2 if isinstance(error, InvalidInput) else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

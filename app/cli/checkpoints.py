"""`finetune checkpoints`: which a run has, whether they are intact, and room on the disk."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.server import local_only

if TYPE_CHECKING:
    from app.db.session import Database
    from app.runs.directory import RunDirectory

app = typer.Typer(no_args_is_help=True)

Run = Annotated[str, typer.Argument(metavar="RUN", help="Name of a run.")]
Keep = Annotated[str | None, typer.Option(metavar="best,last,fastest", help="What stays; else the run's setting.")]
Yes = Annotated[bool, typer.Option("--yes", help="Remove them; without it they are only shown.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@app.command("list")
@local_only("checkpoints list")
def list_(run: Run, as_json: AsJson = False) -> None:
    """List a run's checkpoints; every file is compared with what was saved."""
    from app.tools.checkpoint_manager import show_list

    show_list(_open(run)[0], as_json)


@app.command()
@local_only("checkpoints prune")
def prune(run: Run, keep: Keep = None, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove checkpoints that no reason keeps; without --yes only show which."""
    from app.cli.recorded import recorded
    from app.tools.checkpoint_manager import show_pruning

    directory, database = _open(run)

    def recorded_pruning(**details: Any) -> AbstractContextManager[None]:
        return recorded("checkpoint.prune", f"experiment:{directory.name}", **details)

    show_pruning(directory, keep, yes, as_json, database, recorded_pruning)


def _open(name: str) -> "tuple[RunDirectory, Database]":
    from app.services.experiments import find_run
    from app.services.installation import open_installation
    from app.settings import get_settings

    installation = open_installation(get_settings())
    return find_run(installation, name), installation.database

"""`finetune worker`: one worker alone; `finetune start` runs it with all it needs."""

from typing import Annotated

import typer

from app.domain.task import TaskKind


def worker(
    name: Annotated[str, typer.Option(help="one of its own for each worker on a machine")] = "worker",
    kind: Annotated[list[TaskKind] | None, typer.Option(help="do this kind of work alone; may be repeated")] = None,
) -> None:
    """Do the installation's work: trainings, plans, predictions over files, large data sets; until Ctrl-C."""
    import warnings

    from app.settings import get_settings
    from app.tasks.worker import run_worker

    # Its reason is pickle in messages, which are JSON alone here.
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    run_worker(get_settings(), name, tuple(kind or TaskKind))

"""Work that is no training, in a directory like a run's: what was asked for, and the files that tell what comes of it.

The children that do such work share `carry_out`: one attempt at a time, SIGTERM means save and stop.
"""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.domain.errors import Conflict, PlatformError
from app.domain.events import ResultGiven, RunFinished
from app.domain.task import TaskKind, TaskState
from app.runs.directory import RunDirectory
from app.runs.event_log import read_events
from app.runs.files import read_record, write_json
from app.runs.lock import read_attempt, run_lock
from app.runs.turn import Turn

SECONDS_TO_LET_GO = 30.0
"""How long the process of an earlier attempt may take to notice that it is stale, and end."""
EXIT_REFUSED = 2
EXIT_CODES = {TaskState.SUCCESS: 0, TaskState.FAILURE: 1, TaskState.REVOKED: 3}


class WorkOrder(BaseModel):
    """`work.json`: what a child that does such work is given."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    kind: TaskKind
    owner: str | None = None
    payload: dict[str, Any] = Field(default_factory=dict)


class WorkDirectory(RunDirectory):
    """Paths of one piece of work, two levels below the installation's results."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.order = self.path / "work.json"

    @property
    def results_dir(self) -> Path:
        """The directory of the installation the work is for."""
        return self.path.parents[1]


def work_directory(results_dir: Path, kind: TaskKind, task_id: str) -> WorkDirectory:
    """Where a task's work is done; predictions are kept, of the rest only what the database has."""
    if kind is TaskKind.PREDICT:
        return WorkDirectory(results_dir / "predictions" / task_id)
    return WorkDirectory(results_dir / "cache" / f"work-{task_id}")


def write_order(work: WorkDirectory, order: WorkOrder) -> None:
    """Make the directory; what is there already stays."""
    if not work.order.is_file():
        write_json(work.order, order.model_dump(mode="json"))


def read_order(work: WorkDirectory) -> WorkOrder:
    """What is asked for; StorageError where the directory is no work."""
    return read_record(work.order, WorkOrder)


class Stopped(Exception):
    """What was asked to stop has saved what it had."""


Job = Callable[[WorkDirectory, WorkOrder, Turn], dict[str, Any]]
"""Does the work and gives its result; raises Stopped soon after `turn.should_stop()` has become true."""


def _nothing(_order: WorkOrder) -> None:
    """Work that leaves nothing to be let go of."""


def carry_out(directory: Path, job: Job, let_go: Callable[[WorkOrder], None] = _nothing) -> int:
    """Do the work of a directory, report how it ended, and return this process's exit status.

    `let_go` removes what the work was done from, once its success is reported: an attempt that dies before has taken
    nothing from the next one, and the next one does not repeat what had succeeded.
    """
    work = WorkDirectory(directory)
    try:
        owner = read_attempt(work)
        patience = SECONDS_TO_LET_GO if owner is not None and owner.number > 1 else 0.0
        with run_lock(work, wait_seconds=patience), Turn(work, owner) as turn:
            finished = _finished(work, job, turn)
            turn.report(finished)
            if finished.state is TaskState.SUCCESS:
                let_go(read_order(work))
            return EXIT_CODES[finished.state]
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_REFUSED


def _finished(work: WorkDirectory, job: Job, turn: Turn) -> RunFinished:
    try:
        if _has_succeeded(work):
            return RunFinished(state=TaskState.SUCCESS)
        result = job(work, read_order(work), turn)
        check_turn(turn)
        turn.report(ResultGiven(result=result))
        return RunFinished(state=TaskState.SUCCESS)
    except Stopped:
        if turn.parent_is_gone:
            detail = "the process that started this died; what was done until then is saved"
            return RunFinished(state=TaskState.FAILURE, error_code="run.lost", error_detail=detail, retryable=True)
        return RunFinished(state=TaskState.REVOKED, error_code="run.stopped", error_detail="stopped on request")
    except PlatformError as error:
        traceback.print_exc()
        detail = f"{error.message} (hint: {error.hint})" if error.hint else error.message
        return RunFinished(
            state=TaskState.FAILURE, error_code=error.code, error_detail=detail, retryable=error.retryable
        )
    except MemoryError:
        traceback.print_exc()
        return RunFinished(
            state=TaskState.FAILURE, error_code="run.out_of_memory", error_detail="there was not enough memory for it"
        )
    except Exception as error:  # noqa: BLE001, the last line of defence: work never ends without a word
        traceback.print_exc()
        return RunFinished(
            state=TaskState.FAILURE, error_code="work.failed", error_detail=f"{type(error).__name__}: {error}"
        )


def _has_succeeded(work: WorkDirectory) -> bool:
    """Whether an earlier attempt did it all, and lost its worker before that could be recorded."""
    events = read_events(work.events)
    return any(isinstance(event, RunFinished) and event.state is TaskState.SUCCESS for event in events)


def check_turn(turn: Turn) -> None:
    """Stopped where that was asked for; Conflict when this attempt may write no more."""
    if not turn.may_save():
        raise Conflict("another attempt has taken this work over", code="run.superseded")
    if turn.should_stop():
        raise Stopped

"""`python -m app.services.dataset_task WORK_DIR`: check files that were sent and store them, as a worker's task.

The rows are read by a process of their own that is confined; here the report goes to the worker, and what came of it to
the database. Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 stopped on request.
"""

import sys
import traceback
from pathlib import Path
from typing import Any

from app.domain.errors import DataBlocked, PlatformError, ServiceUnavailable
from app.domain.events import Progressed, ResultGiven, RunFinished, StageChanged
from app.domain.principal import Caller
from app.domain.task import Stage, TaskKind, TaskState
from app.runs.lock import read_attempt, run_lock
from app.runs.turn import Turn
from app.runs.work import WorkDirectory, read_order
from app.services import data_set_intake
from app.services.platform import open_platform
from app.services.version_views import findings_of
from app.settings import get_settings

EXIT_CODES = {TaskState.SUCCESS: 0, TaskState.FAILURE: 1, TaskState.REVOKED: 3}
SECONDS_TO_LET_GO = 30.0
"""How long the process of an earlier attempt may take to notice that it is stale, and end."""
_SHARES = (("reading", 0.0, 0.3), ("repeated", 0.3, 0.35), ("near duplicates", 0.35, 0.6), ("labels", 0.6, 0.95))
"""Which part of the whole each stage of the work is, from where to where."""


class _NoQueue:
    """This process submits nothing."""

    def send(self, task_id: str, kind: TaskKind) -> None:
        """Refuse."""
        raise ServiceUnavailable("a data set's task has no queue")

    def check(self) -> None:
        """Refuse."""
        raise ServiceUnavailable("a data set's task has no queue")


class _Progress:
    """Passes on how far the work has come; it never goes back."""

    def __init__(self, turn: Turn) -> None:
        self._turn, self._share = turn, 0.0

    def __call__(self, what: str, done: int, total: int | None) -> None:
        for begins_with, start, end in _SHARES:
            if what.startswith(begins_with) and total:
                self._share = max(self._share, start + (end - start) * min(1.0, done / total))
        self._turn.report(Progressed(done=done, total=total, share=self._share))


def run(directory: Path) -> TaskState:
    """Do the work in `directory` and report how it ended."""
    work = WorkDirectory(directory)
    order, owner = read_order(work), read_attempt(work)
    patience = SECONDS_TO_LET_GO if owner is not None and owner.number > 1 else 0.0
    with run_lock(work, wait_seconds=patience), Turn(work, owner) as turn:
        turn.report(StageChanged(stage=Stage.VALIDATING))
        try:
            finished = _run(turn, order.payload)
        except DataBlocked as error:
            findings = [finding.model_dump(mode="json") for finding in findings_of(error.reports)]
            turn.report(ResultGiven(result={"findings": findings}))
            finished = _failure(error)
        except PlatformError as error:
            finished = _failure(error)
        except Exception as error:  # noqa: BLE001, the last line of defence: work never ends without a word
            traceback.print_exc()
            finished = RunFinished(
                state=TaskState.FAILURE, error_code="work.failed", error_detail=f"{type(error).__name__}: {error}"
            )
        turn.report(finished)
        return finished.state


def _run(turn: Turn, payload: dict[str, Any]) -> RunFinished:
    platform = open_platform(get_settings(), _NoQueue())
    caller = Caller.model_validate(payload["caller"])
    try:
        result = data_set_intake.run_task(platform, caller, payload, turn.should_stop, _Progress(turn))
    except PlatformError:
        if not turn.should_stop():
            raise
        if turn.parent_is_gone:
            detail = "the worker died; the files are here for the next attempt"
            return RunFinished(state=TaskState.FAILURE, error_code="run.lost", error_detail=detail, retryable=True)
        return RunFinished(state=TaskState.REVOKED, error_code="run.stopped", error_detail="stopped on request")
    turn.report(ResultGiven(result=result))
    return RunFinished(state=TaskState.SUCCESS)


def _failure(error: PlatformError) -> RunFinished:
    detail = f"{error.message} (hint: {error.hint})" if error.hint else error.message
    return RunFinished(state=TaskState.FAILURE, error_code=error.code, error_detail=detail, retryable=error.retryable)


def main(arguments: list[str]) -> int:
    """Do it; errors before the work is ours go to stderr in one line."""
    if len(arguments) != 1 or not (Path(arguments[0]) / "work.json").is_file():
        print("usage: python -m app.services.dataset_task WORK_DIR   (a directory with work.json)", file=sys.stderr)
        return 2
    try:
        return EXIT_CODES[run(Path(arguments[0]))]
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

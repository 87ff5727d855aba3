"""`python -m app.services.dataset_task WORK_DIRECTORY`: check or store a large upload in the background.

What is done with the files is `data_set_intake`'s to say; this is the process around it.
"""

import sys
import time
from pathlib import Path
from typing import Any

from app.db.repositories import users
from app.domain.errors import DataBlocked, NotFound, PlatformError
from app.domain.events import Progressed, ResultGiven, StageChanged
from app.domain.principal import Caller, Principal, Role
from app.domain.task import Stage, TaskKind
from app.domain.wording import say
from app.runs.turn import Turn
from app.runs.work import Stopped, WorkDirectory, WorkOrder, carry_out
from app.services.platform import Platform, open_platform
from app.services.version_views import findings_of
from app.settings import get_settings

REPORT_SECONDS = 1.0


class _NoQueue:
    """This process sends nothing."""

    def send(self, task_id: str, kind: TaskKind) -> None:
        """Leave it to the sweeper."""

    def check(self) -> None:
        """There is nothing to check."""


def dataset_task(_work: WorkDirectory, order: WorkOrder, turn: Turn) -> dict[str, Any]:
    """Let the intake do it on behalf of whoever sent the files."""
    from app.services import data_set_intake

    platform = open_platform(get_settings(), _NoQueue())
    turn.report(StageChanged(stage=Stage.VALIDATING))
    try:
        return data_set_intake.run_task(
            platform, _caller(platform, order), order.payload, turn.should_stop, _Reporter(turn).heard
        )
    except DataBlocked as error:
        # The task fails, and its result says what is to be mended.
        findings = [finding.model_dump(mode="json") for finding in findings_of(error.reports)]
        turn.report(ResultGiven(result={"findings": findings}))
        raise
    except PlatformError:
        if turn.should_stop():
            raise Stopped from None
        raise


def let_go(order: WorkOrder) -> None:
    """Remove the files, which nobody needs any more."""
    from app.services import data_set_intake

    data_set_intake.let_go(open_platform(get_settings(), _NoQueue()), order.payload)


def _caller(platform: Platform, order: WorkOrder) -> Caller:
    with platform.installation.database.read() as session:
        row = users.get(session, order.owner or "")
    if row is None:
        raise NotFound(say("the account {owner!r} is not here any more", owner=order.owner))
    return Caller(
        principal=Principal(user_id=row.id, username=row.username, role=Role(row.role), via="token"),
        request_id=f"task-{order.task_id}",
    )


class _Reporter:
    """Passes progress on, not more often than anybody looks."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._reported = 0.0

    def heard(self, what: str, done: int, total: int | None) -> None:
        """`done` of `total` rows of one stage; each stage begins anew."""
        if time.monotonic() - self._reported >= REPORT_SECONDS:
            self._reported = time.monotonic()
            share = done / total if total else 0.0
            self._turn.report(Progressed(done=done, total=total, share=min(1.0, share)))


if __name__ == "__main__":
    sys.exit(carry_out(Path(sys.argv[1]), dataset_task, let_go))

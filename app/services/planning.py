"""What a training would take on this machine, without training: the child that answers `POST /plan` is asked here."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.domain.errors import TrainingFailed
from app.domain.events import ResultGiven, RunFinished
from app.domain.task import TaskKind, TaskState
from app.domain.train_config import TrainConfig
from app.domain.wording import say
from app.runs.directory import RunDirectory
from app.runs.event_log import read_events
from app.runs.files import storage_errors
from app.runs.lock import next_attempt
from app.runs.work import WorkOrder, work_directory, write_order
from app.services.supervisor import log_tail

PLANNER = (sys.executable, "-u", "-m", "app.train.plan_only")


def make_plan(results_dir: Path, config: TrainConfig, planner: Sequence[str] | None = None) -> dict[str, Any]:
    """The plan of a configuration with what a few measured steps say of its time and memory.

    Raises TrainingFailed with what the child could not do. Nothing is kept.
    """
    task_id = str(uuid.uuid4())
    work = work_directory(results_dir, TaskKind.PLAN, task_id)
    try:
        with storage_errors(work.path):
            work.path.mkdir(parents=True)
        write_order(work, WorkOrder(task_id=task_id, kind=TaskKind.PLAN, payload={"config": config.as_dict()}))
        next_attempt(work, str(uuid.uuid4()))
        child = [sys.executable, "-m", "app.services.child", str(os.getpid()), *(planner or PLANNER), str(work.path)]
        with storage_errors(work.log), work.log.open("ab") as log:
            done = subprocess.run(child, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        return _result(work, done.returncode)
    finally:
        shutil.rmtree(work.path, ignore_errors=True)


def _result(work: RunDirectory, status: int) -> dict[str, Any]:
    events = read_events(work.events)
    results = [event.result for event in events if isinstance(event, ResultGiven)]
    endings = [event for event in events if isinstance(event, RunFinished)]
    if results and endings and endings[-1].state is TaskState.SUCCESS:
        return results[-1]
    if endings:
        reason, _, hint = (endings[-1].error_detail or "no reason was given").partition(" (hint: ")
        raise TrainingFailed(reason, hint=hint.removesuffix(")"), code=endings[-1].error_code)
    last = log_tail(work.log)
    said = f": {last[-1]}" if last else ""
    raise TrainingFailed(
        say("the planning process ended with status {status} and no word{said}", status=status, said=said)
    )

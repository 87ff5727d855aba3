"""Runs of the command line whose process died without a word: found out by whoever looks, and shown as such.

What a worker of the queue has lost is given to another one by `sweeper`.
"""

import os
import socket
from pathlib import Path

from app.db.repositories import tasks
from app.db.session import Database
from app.db.tables import TaskRow
from app.db.tables.base import utc_now
from app.domain.errors import Conflict, StorageError
from app.runs.directory import RunDirectory
from app.runs.event_log import read_events
from app.runs.lock import is_locked
from app.services.recording import Claim, Recorder, complete_ending, ending, lost


def mark_lost_runs(database: Database, results_dir: Path) -> None:
    """End every run that claims to be running and is not; what it reported to the last is taken in first."""
    with database.read() as session:
        started = tasks.started_tasks(session, queued=False)
    for task, run_dir in started:
        run = RunDirectory(results_dir / str(run_dir))
        if task.token and _is_abandoned(task) and not is_in_use(run):
            _end(database, run, task)


def _end(database: Database, run: RunDirectory, task: TaskRow) -> None:
    claim = Claim(task.id, task.experiment_id, task.attempt, task.token or "")
    recorder = Recorder(database, run, claim)
    try:
        recorder.take_new()
    except Conflict:
        return  # somebody resumed it meanwhile
    where = f"process {task.pid} on {task.hostname}"
    fallback = lost(f"{where} ended without a word; go on with `finetune train --resume {run.name}`")
    recorder.finish(ending(read_events(run.events), task.attempt) or complete_ending(run) or fallback)


def _is_abandoned(task: TaskRow) -> bool:
    """Whether the supervisor's claim no longer holds; its own process tells sooner than the lease."""
    return tasks.lease_expired(task, utc_now()) or has_died(task)


def has_died(task: TaskRow) -> bool:
    """Whether the process that runs a task was one of this machine, and is no more."""
    return task.hostname == socket.gethostname() and task.pid is not None and not _is_alive(task.pid)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_in_use(run: RunDirectory) -> bool:
    """Whether a living process writes to the run, as far as can be told."""
    if not run.path.is_dir():
        return False
    try:
        return is_locked(run)
    except StorageError:
        return True  # a directory we may not look into is not ours to judge

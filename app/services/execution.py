"""A worker's work: claim the next task there is room for, and see it through to its end.

Like the command line, a worker starts a child and follows what it reports; it never loads torch. What it loses its
claim on it stops, and writes nothing more about.
"""

import logging
import os
import socket
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from app.db.repositories import task_queue, tasks
from app.db.tables import TaskRow
from app.domain.errors import PlatformError
from app.domain.events import Event, RunFinished
from app.domain.task import TaskKind, TaskState
from app.domain.train_config import TrainConfig
from app.runs.directory import RunDirectory, is_run
from app.runs.files import storage_errors, write_bytes_atomic
from app.runs.lock import next_attempt
from app.runs.work import WorkDirectory, WorkOrder, work_directory, write_order
from app.services.capacity import Capacity, Placed, Room
from app.services.platform import Platform
from app.services.queued_recording import QueuedRecorder
from app.services.supervisor import StopRequest, Supervisor
from app.services.training import dump_config
from app.settings import environment_without_secrets

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""How often a worker asks whether its claim holds and whether somebody cancelled."""
CHILDREN: Mapping[TaskKind, Sequence[str]] = {
    TaskKind.PLAN: (sys.executable, "-u", "-m", "app.train.plan_only"),
    TaskKind.PREDICT: (sys.executable, "-u", "-m", "app.serving.predict_file"),
    TaskKind.DATASET: (sys.executable, "-u", "-m", "app.services.dataset_task"),
}
ANY = Capacity({tuple(TaskKind): sys.maxsize})


def execute_next(platform: Platform, stop: StopRequest, capacity: Capacity = ANY) -> str | None:
    """Claim one task and do it to the end of its attempt; its id, or None where there was none to do.

    Asking `stop` saves what is done and leaves the task to another worker.
    """
    token = str(uuid.uuid4())
    with capacity.place(lambda room: _claim(platform, room, token)) as placed:
        if placed is None:
            return None
        _Attempt(platform, stop, placed).run()
        return placed.task.id


def _claim(platform: Platform, room: Room, token: str) -> TaskRow | None:
    claimant = task_queue.Claimant(
        token=token,
        pid=os.getpid(),
        hostname=socket.gethostname(),
        kinds=room.kinds,
        lease=timedelta(seconds=platform.settings.lease_seconds),
        max_running=platform.settings.max_running,
        free_memory_bytes=room.free_memory_bytes,
        devices=room.devices,
    )
    with platform.installation.database.read() as session:
        if not task_queue.waiting(session, room.kinds, claimant.max_running, limit=1, devices=room.devices):
            return None  # the usual answer, for which nobody needs to wait for other writers
    with platform.installation.database.write() as session:
        return task_queue.claim_next(session, claimant)


class _Attempt:
    """One attempt at a claimed task."""

    def __init__(self, platform: Platform, worker_stop: StopRequest, placed: Placed) -> None:
        self._platform, self._worker_stop, self._placed = platform, worker_stop, placed
        self._task = placed.task
        self._stop = StopRequest()
        self._looked = 0.0

    def run(self) -> None:
        """See it through; what goes wrong here ends the attempt as a failure, so that the task does not hang."""
        task = self._task
        logger.info("task %s (%s) of %s: attempt %d begins", task.id, task.kind, task.owner, task.attempt)
        with self._platform.installation.database.read() as session:
            training = tasks.training_of(session, task.id)
        run = directory_of(self._platform.installation.results_dir, task, training[0] if training else None)
        recorder = QueuedRecorder(self._platform, task, run, lambda: self._worker_stop.times > 0)
        try:
            self._prepare(recorder, training[1] if training else None)
            ended = self._supervise(recorder)
        except PlatformError as error:
            if error.code == "run.taken_over":
                logger.warning("task %s was taken over by another worker", task.id)
                return
            ended = _failure(error.code, error.message, error.hint, retryable=error.retryable)
            self._conclude(recorder, ended)
        except Exception as error:
            logger.exception("task %s: the worker failed", task.id)
            ended = _failure("worker.failed", f"{type(error).__name__}: {error}", "", retryable=True)
            self._conclude(recorder, ended)
        reason = f": {ended.error_code}: {ended.error_detail}" if ended.error_code else ""
        logger.info("task %s: attempt ended in %s%s", task.id, ended.state, reason)

    def _prepare(self, recorder: QueuedRecorder, config: dict[str, object] | None) -> None:
        """Make the directory where it does not exist yet, and take it over."""
        run = recorder.run
        with storage_errors(run.path):
            run.path.mkdir(parents=True, exist_ok=True)
        if isinstance(run, WorkDirectory):
            task = self._task
            order = WorkOrder(task_id=task.id, kind=TaskKind(task.kind), owner=task.owner, payload=task.payload or {})
            write_order(run, order)
        elif not is_run(run.path):
            write_bytes_atomic(run.config, dump_config(TrainConfig.model_validate(config)))
        attempt = next_attempt(run, recorder.claim.token, recorder.renew, at_least=self._task.attempt)
        recorder.begin(attempt.number)

    def _supervise(self, recorder: QueuedRecorder) -> RunFinished:
        kind = TaskKind(self._task.kind)
        supervisor = Supervisor(
            recorder,
            listener=_nobody,
            stop=self._stop,
            engine=self._platform.installation.engine if kind is TaskKind.TRAIN else CHILDREN[kind],
            look_after=lambda: self._look_after(recorder),
            environment={**self._environment_of(kind), **self._placed.environment},
        )
        return supervisor.run()

    @staticmethod
    def _environment_of(kind: TaskKind) -> dict[str, str]:
        """Only what stores data sets has to reach the database."""
        return dict(os.environ) if kind is TaskKind.DATASET else environment_without_secrets()

    def _look_after(self, recorder: QueuedRecorder) -> None:
        if self._worker_stop.times > self._stop.times:
            self._stop.ask()
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        standing = recorder.standing()
        if not standing.is_held:
            recorder.renew()  # says by whom it was taken over
        if standing.is_cancelled and not self._stop.times:
            self._stop.ask()

    def _conclude(self, recorder: QueuedRecorder, ended: RunFinished) -> None:
        """Record a failure of the worker's own; where that is not possible, the lease runs out."""
        try:
            recorder.finish(ended)
        except PlatformError as error:
            logger.error("task %s: its end cannot be recorded: %s", self._task.id, error.message)


def _nobody(_event: Event) -> None:
    """Whoever watches a queued task reads the database."""


def _failure(code: str, message: str, hint: str, *, retryable: bool) -> RunFinished:
    detail = f"{message} (hint: {hint})" if hint else message
    return RunFinished(state=TaskState.FAILURE, error_code=code, error_detail=detail, retryable=retryable)


def directory_of(results_dir: Path, task: TaskRow, run_dir: str | None) -> RunDirectory:
    """Where a task's work is done."""
    if run_dir is not None:
        return RunDirectory(results_dir / run_dir)
    return work_directory(results_dir, TaskKind(task.kind), task.id)

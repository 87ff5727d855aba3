"""What becomes of queued work after an attempt: recorded with the verdict of `domain.task`, and in the audit log."""

from collections.abc import Callable
from datetime import timedelta

from app.db.session import Session
from app.db.tables import TaskRow
from app.domain.events import CheckpointSaved, Progressed, RunFinished
from app.domain.principal import Caller
from app.domain.task import TaskKind, TaskState, Verdict, after_attempt
from app.runs.directory import RunDirectory
from app.runs.event_log import read_events
from app.services import uploads
from app.services.auditing import Outcome
from app.services.platform import Platform
from app.services.recording import Claim, Recorder
from app.services.supervisor import log_tail

WORKER = Caller(local_user="worker")
AGAIN_CODES = frozenset({"run.superseded", "run.locked"})
"""Faults that are nobody's but the moment's: another process still had the run."""
UNEXPLAINED_CODES = frozenset({"run.failed", "run.lost", "work.failed"})
TAIL_LINES = 12


class QueuedRecorder(Recorder):
    """A Recorder of one attempt at a task that any worker may go on with; `worker_stops` asks whether this one ends."""

    def __init__(
        self, platform: Platform, task: TaskRow, run: RunDirectory, worker_stops: Callable[[], bool] = lambda: False
    ) -> None:
        claim = Claim(
            task_id=task.id,
            experiment_id=task.experiment_id,
            attempt=task.attempt,
            token=task.token or "",
            lease=timedelta(seconds=platform.settings.lease_seconds),
        )
        super().__init__(platform.installation.database, run, claim)
        self._platform, self._worker_stops = platform, worker_stops
        self._kind = TaskKind(task.kind)
        self._removed_when_cancelled = uploads.removed_with(task)

    def finish(self, finished: RunFinished) -> TaskState | None:
        """As of a Recorder; what the child could not explain itself is told with the end of its log."""
        if finished.error_code in UNEXPLAINED_CODES and (lines := log_tail(self.run.log)):
            tail = "\n".join(lines[-TAIL_LINES:])
            finished = finished.model_copy(update={"error_detail": f"{finished.error_detail}\nits log ends:\n{tail}"})
        state = super().finish(finished)
        if state is TaskState.REVOKED and self._removed_when_cancelled:
            uploads.remove_files(self._platform.settings, self._removed_when_cancelled)
        return state

    def judge(self, task: TaskRow, finished: RunFinished) -> Verdict:
        """The verdict on this attempt; one that got further than those before it makes up for their failures."""
        return after_attempt(
            finished.state,
            retryable=finished.retryable or finished.error_code in AGAIN_CODES,
            failures=0 if self._got_further() else task.failures,
            cancelled=task.cancel_requested_at is not None,
            worker_stops=self._worker_stops(),
            first_delay_seconds=self._platform.settings.retry_seconds,
        )

    def conclude(self, session: Session, task: TaskRow, finished: RunFinished) -> None:
        """Record in the audit log how the work ended that somebody had asked for."""
        if finished.state is TaskState.REVOKED and self._removed_when_cancelled:
            uploads.forget(session, self._platform.settings, self._removed_when_cancelled)
        details = {"kind": task.kind, "state": finished.state.value, "attempt": task.attempt, "owner": task.owner}
        if finished.error_code:
            details["error_code"] = finished.error_code
        outcome: Outcome = "failed" if finished.state is TaskState.FAILURE else "success"
        self._platform.audit.append(session, WORKER, "task.finish", f"task:{task.id}", outcome, details)

    def _got_further(self) -> bool:
        """Whether the attempt saved something that the next one goes on from."""
        saved = (CheckpointSaved, Progressed) if self._kind is TaskKind.PREDICT else CheckpointSaved
        attempt = self.claim.attempt
        return any(isinstance(event, saved) and event.attempt == attempt for event in read_events(self.run.events))

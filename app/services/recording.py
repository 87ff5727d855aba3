"""What a run reports, taken into the database: events.jsonl and metrics.json -> rows.

Events and the offset up to which they were read move in one transaction that begins at the offset stored, so a
supervisor that dies, the one that follows it, and two that read at once lose nothing and count nothing twice.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from app.db.repositories import experiments, metrics, stored_work, tasks
from app.db.session import Database, Session
from app.db.tables import TaskRow
from app.db.tables.base import utc_now
from app.domain.errors import Conflict
from app.domain.events import (
    CheckpointRemoved,
    CheckpointSaved,
    EvalLogged,
    Event,
    Planned,
    Progressed,
    ResultGiven,
    RunFinished,
    StageChanged,
    StepLogged,
    SystemSampled,
)
from app.domain.task import TaskState, Verdict
from app.domain.wording import say
from app.runs.directory import RunDirectory
from app.runs.event_log import read_from
from app.runs.files import read_json, size_of

SPLITS = ("eval", "test")
_POINT_KINDS = {StepLogged: "step", EvalLogged: "eval", SystemSampled: "system"}


@dataclass(frozen=True)
class Claim:
    """The right to write about one task, until `lease` runs out unless renewed: `token` fences off everybody else."""

    task_id: str
    experiment_id: int | None
    attempt: int
    token: str
    lease: timedelta = tasks.LEASE


class Recorder:
    """Moves one run's events into the database, from where the last recorder stopped; `offset` is what was heard here.

    Another recorder of the same claim may have stored more, or less, than that.
    """

    def __init__(self, database: Database, run: RunDirectory, claim: Claim) -> None:
        self.database, self.run, self.claim = database, run, claim
        with database.read() as session:
            self.offset = tasks.events_offset(session, claim.task_id)

    def take_new(self) -> list[Event]:
        """Record what was reported since the last call and return it; Conflict when the claim is lost."""
        events, end = read_from(self.run.events, self.offset)
        if end == self.offset:
            return []
        has_grown = any(isinstance(event, (CheckpointSaved, CheckpointRemoved)) for event in events)
        size = size_of(self.run.path) if has_grown else None
        with self.database.write(alone=False) as session:
            stored = tasks.lock_events_offset(session, self.claim.task_id, self.claim.token)
            if stored is None:
                raise self._taken_over()
            if stored < end:
                new = events if stored == self.offset else read_from(self.run.events, stored, end)[0]
                self._record(session, new, end)
                if size is not None:
                    stored_work.put(session, self.claim.task_id, self.claim.experiment_id, size)
        self.offset = end
        return events

    def _record(self, session: Session, events: Sequence[Event], offset: int) -> None:
        progress: dict[str, Any] = {"events_offset": offset}
        for event in events:
            progress |= _progress(event)
        tasks.record_progress(session, self.claim.task_id, self.claim.token, **progress)
        experiment_id = self.claim.experiment_id
        if experiment_id is None:
            return
        metrics.add_points(session, [_point(experiment_id, e) for e in events if type(e) in _POINT_KINDS])
        for event in events:
            if isinstance(event, Planned):
                experiments.set_plan(session, experiment_id, event.plan)
            elif isinstance(event, CheckpointSaved):
                metrics.put_checkpoint(
                    session, experiment_id, step=event.step, path=event.path, size_bytes=event.size_bytes
                )
            elif isinstance(event, CheckpointRemoved):
                metrics.remove_checkpoint(session, experiment_id, step=event.step)

    def begin(self, attempt: int) -> None:
        """Take the number the directory gave to this attempt; Conflict when the claim is lost."""
        self.claim = replace(self.claim, attempt=attempt)
        with self.database.write(alone=False) as session:
            if not tasks.record_progress(session, self.claim.task_id, self.claim.token, attempt=attempt):
                raise self._taken_over()

    def renew(self) -> None:
        """Hold on to the claim for another lease; Conflict when it is lost."""
        with self.database.write(alone=False) as session:
            if not tasks.renew_lease(session, self.claim.task_id, self.claim.token, self.claim.lease):
                raise self._taken_over()

    def standing(self) -> tasks.Standing:
        """Whether the claim holds, and whether somebody asked to cancel."""
        with self.database.read() as session:
            return tasks.standing(session, self.claim.task_id, self.claim.token)

    def take_over(self, expires_at: datetime | None) -> bool:
        """Make the claim this process's alone, where its lease is the one seen before, so nobody renewed it since."""
        token = str(uuid.uuid4())
        with self.database.write(alone=False) as session:
            taken = tasks.take_over(
                session, self.claim.task_id, self.claim.token, expires_at, new_token=token, lease=self.claim.lease
            )
        if taken:
            self.claim = replace(self.claim, token=token)
        return taken

    def finish(self, finished: RunFinished) -> TaskState | None:
        """Record how the attempt ended, with the scores it left; the task's state then, None when the claim is lost."""
        size = size_of(self.run.path)
        with self.database.write() as session:
            task = tasks.get(session, self.claim.task_id)
            if task is None:
                return None
            verdict = self.judge(task, finished)
            if not self._end(session, finished, verdict):
                return None
            stored_work.put(session, self.claim.task_id, self.claim.experiment_id, size)
            if self.claim.experiment_id is not None:
                put_results(session, self.claim.experiment_id, self.run)
            if verdict.state.is_final:
                self.conclude(session, task, finished.model_copy(update={"state": verdict.state}))
            return verdict.state

    def judge(self, task: TaskRow, finished: RunFinished) -> Verdict:
        """What becomes of the task: of work that only its own process goes on with, what the attempt says stands."""
        return Verdict(finished.state, task.failures)

    def conclude(self, session: Session, task: TaskRow, finished: RunFinished) -> None:
        """Add what else belongs into the transaction that ends the task."""

    def _end(self, session: Session, finished: RunFinished, verdict: Verdict) -> bool:
        said = {"error_code": finished.error_code, "error_detail": finished.error_detail}
        if not verdict.state.is_final:
            later = utc_now() + timedelta(seconds=verdict.delay_seconds) if verdict.delay_seconds else None
            return tasks.give_back(
                session, self.claim.task_id, self.claim.token, failures=verdict.failures, not_before=later, **said
            )
        return tasks.finish(
            session,
            self.claim.task_id,
            self.claim.token,
            verdict.state,
            **said,
            retryable=finished.retryable,
            failures=verdict.failures,
        )

    def _taken_over(self) -> Conflict:
        return Conflict(
            say("run {name!r} was taken over by another process", name=self.run.name),
            hint=say("see `finetune experiments show {name}`", name=self.run.name),
            code="run.taken_over",
        )


def ending(events: Sequence[Event], attempt: int) -> RunFinished | None:
    """The last word of an attempt, if it had one."""
    finished = [e for e in events if isinstance(e, RunFinished) and e.attempt == attempt]
    return finished[-1] if finished else None


def complete_ending(run: RunDirectory) -> RunFinished | None:
    """SUCCESS for a run with a receipt: it died between the receipt, the last file, and its last word."""
    return RunFinished(state=TaskState.SUCCESS) if run.is_complete else None


def lost(reason: str) -> RunFinished:
    """The last word on behalf of a process that died without one."""
    return RunFinished(
        time=datetime.now(UTC).timestamp(),
        state=TaskState.FAILURE,
        error_code="run.lost",
        error_detail=reason,
        retryable=True,
    )


def put_results(session: Session, experiment_id: int, run: RunDirectory) -> None:
    """Store metrics.json and environment.json of a run, as far as they exist."""
    if run.metrics.is_file():
        content = read_json(run.metrics)
        for split in SPLITS:
            if content.get(split):
                metrics.put_evaluation(session, experiment_id, split, content[split])
        experiments.set_results(session, experiment_id, content.get("train"))
    if run.environment.is_file():
        environment = read_json(run.environment)
        libraries = environment.get("libraries") or {}
        experiments.set_environment(session, experiment_id, environment.get("code_revision"), libraries)


def _progress(event: Event) -> dict[str, Any]:
    if isinstance(event, StageChanged):
        return {"stage": event.stage}
    if isinstance(event, StepLogged):
        share = event.step / event.total_steps if event.total_steps else 0.0
        return {"progress": min(1.0, share), "eta_seconds": event.eta_seconds}
    if isinstance(event, Progressed):
        return {"progress": min(1.0, max(0.0, event.share)), "eta_seconds": event.eta_seconds}
    if isinstance(event, ResultGiven):
        return {"result": event.result}
    return {}


def _point(experiment_id: int, event: Event) -> dict[str, Any]:
    values = event.model_dump(mode="json", exclude={"type", "time", "attempt", "step"}, exclude_none=True)
    if isinstance(event, EvalLogged):
        values = {"epoch": event.epoch, "train_seconds": event.train_seconds, **event.metrics}
    return {
        "experiment_id": experiment_id,
        "kind": _POINT_KINDS[type(event)],
        "step": getattr(event, "step", None),
        "attempt": event.attempt,
        "time": event.time,
        "values": values,
    }

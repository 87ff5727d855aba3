"""What must hold of a site once it is quiet, whatever was done to it; each check tells what does not."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
from sqlalchemy import select

from app.data import catalogue
from app.db.tables import MetricPointRow, TaskRow
from app.domain.events import EvalLogged, RunFinished, StepLogged, SystemSampled
from app.domain.task import TaskKind, TaskState
from app.runs.directory import RunDirectory
from app.runs.event_log import read_events
from app.runs.files import sha256_file
from app.runs.lock import read_attempt
from app.runs.receipt import changed_files
from app.runs.work import work_directory
from app.services import audit_verification
from tests.chaos.record import Step, illegal, read_audit, read_record
from tests.chaos.site import WORKERS, Site
from tests.chaos.visitors import Job
from tests.tasks.conftest import House
from tests.tasks.test_real_workers import outcome as training_outcome

POINTS = {StepLogged: "step", EvalLogged: "eval", SystemSampled: "system"}
Ended = tuple[str, str | None, int, Any]
"""State, token, attempt and end of a task that has ended."""


def outcome(house: House, row: TaskRow) -> dict[str, Any]:
    """What came of a task that succeeded, as far as it must not depend on what happened meanwhile."""
    if row.kind == TaskKind.TRAIN:
        return training_outcome(house.run(row.id))
    result = row.result or {}
    if row.kind == TaskKind.PREDICT:
        file = work_directory(house.results_dir, TaskKind.PREDICT, row.id).path / result["file"]
        return {"labelled file": sha256_file(file), **{key: result[key] for key in ("sha256", "rows", "labels")}}
    if (row.payload or {})["action"] == "add":
        stored = [str(entry.version) for entry in catalogue.entries(house.results_dir, result["name"])]
        return {"versions": stored, **{key: result[key] for key in ("version", "content", "rows", "labels")}}
    return result


@dataclass
class Invariants:
    """`references` are outcomes of tasks that nothing disturbed, by their work."""

    site: Site
    references: dict[str, dict[str, Any]] = field(default_factory=dict)
    _ended: dict[str, Ended] = field(default_factory=dict)
    _receipts: dict[str, str] = field(default_factory=dict)

    def broken(self, jobs: Sequence[Job]) -> list[str]:
        """Everything that does not hold."""
        house = self.site.house
        with house.platform.installation.database.read() as session:
            rows = {row.id: row for row in session.scalars(select(TaskRow))}
        record, audited = read_record(house), read_audit(house)
        known = {job.task_id: job for job in jobs}
        wrong = list(self._of_processes())
        wrong += [f"task {task_id} was accepted and is not there" for task_id in known.keys() - rows.keys()]
        for row in rows.values():
            what = [*illegal(record[row.id], audited[row.id]), *self._of_task(row, known.get(row.id), record[row.id])]
            wrong += [f"task {row.id} ({row.kind}): {one}" for one in what]
        wrong += [f"audit log: {fault.what}" for fault in audit_verification.verify(house.platform.audit).faults]
        return wrong

    def _of_processes(self) -> Iterator[str]:
        for name in WORKERS:
            if "raised unexpected" in self.site.programs[name].log.read_text(errors="replace"):
                yield f"a thread of the {name} worker has crashed: see its log"
        ours = {program.process.pid for program in self.site.programs.values() if program.process}
        for process in self.site.everything():
            try:
                if process.pid not in ours:
                    yield f"process {process.pid} is an orphan: {' '.join(process.cmdline())}"
            except psutil.Error:
                continue

    def _of_task(self, row: TaskRow, job: Job | None, steps: Sequence[Step]) -> Iterator[str]:
        if job is None:
            yield "is there and nobody submitted it"
            return
        if row.state != job.expected:
            yield f"is {row.state}, not {job.expected} ({row.error_code}: {row.error_detail})"
            return
        found: Ended = (row.state, row.token, row.attempt, row.finished_at)
        if self._ended.setdefault(row.id, found) != found:
            yield f"was written to after its end: {self._ended[row.id]} became {found}"
        if row.state != TaskState.SUCCESS:
            return
        if row.error_code is not None or row.lease_expires_at is not None:
            yield f"has succeeded with error {row.error_code} and a lease until {row.lease_expires_at}"
        got, expected = outcome(self.site.house, row), self.references[job.work]
        yield from (
            f"its {key} differ from those of undisturbed work: {got.get(key)}"
            for key in expected
            if got.get(key) != expected[key]
        )
        if row.kind == TaskKind.TRAIN:
            run = self.site.house.run(row.id)
            yield from self._of_files(run, row)
            yield from self._of_points(run, row)
        if row.kind in (TaskKind.TRAIN, TaskKind.PREDICT):
            yield from self._of_attempts(row, steps)

    def _of_files(self, run: RunDirectory, row: TaskRow) -> Iterator[str]:
        changed = changed_files(run)
        if changed:
            yield f"its receipt does not verify: {changed}"
        receipt = sha256_file(run.receipt)
        if self._receipts.setdefault(row.id, receipt) != receipt:
            yield "it got a second receipt"

    def _of_attempts(self, row: TaskRow, steps: Sequence[Step]) -> Iterator[str]:
        """Attempts have worked one after the other, each of them one that a worker had claimed."""
        house = self.site.house
        training = row.kind == TaskKind.TRAIN
        run = house.run(row.id) if training else work_directory(house.results_dir, TaskKind(row.kind), row.id)
        owner = read_attempt(run)
        [*_, token] = [step.new_token for step in steps if step.is_claim]
        if owner is None or (owner.number, owner.token) != (row.attempt, token):
            yield f"its directory belongs to {owner}, its row to attempt {row.attempt}, {token}"
        events = read_events(run.events)
        done = [event.attempt for event in events if isinstance(event, RunFinished) and event.state == row.state]
        if len(done) != len(set(done)) or any(attempt > row.attempt for attempt in done):
            yield f"attempts {done} of {row.attempt} say that they succeeded"
        worked = [event.attempt for event in events if not isinstance(event, RunFinished)]
        if worked != sorted(worked):
            yield f"attempts have worked at the same time: {list(dict.fromkeys(worked))}"
        claimed = {step.new_attempt for step in steps if step.new_state == TaskState.STARTED}
        if not claimed.issuperset(worked):
            yield f"attempts {sorted(set(worked) - claimed)} have worked that no worker had claimed"

    def _of_points(self, run: RunDirectory, row: TaskRow) -> Iterator[str]:
        told = Counter(
            (POINTS[type(event)], event.attempt, getattr(event, "step", None), event.time)
            for event in read_events(run.events)
            if type(event) in POINTS
        )
        with self.site.house.platform.installation.database.read() as session:
            query = select(MetricPointRow).where(MetricPointRow.experiment_id == row.experiment_id)
            stored = Counter((p.kind, p.attempt, p.step, p.time) for p in session.scalars(query))
        if stored != told:
            yield f"{(stored - told).total()} metric points too many, {(told - stored).total()} too few"

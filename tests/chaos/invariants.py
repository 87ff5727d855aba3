"""What must hold of a site once it is quiet, whatever was done to it; each check tells what does not."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
from sqlalchemy import select

from app.db.tables import AuditEventRow, MetricPointRow, TaskRow
from app.domain.errors import PlatformError
from app.domain.events import EvalLogged, RunFinished, StepLogged, SystemSampled
from app.domain.task import TaskState, may_follow
from app.runs.directory import RunDirectory
from app.runs.event_log import read_events
from app.runs.files import sha256_file
from app.runs.lock import read_attempt
from app.runs.receipt import changed_files
from app.services import audit_verification
from tests.chaos.site import Site
from tests.chaos.visitors import Job
from tests.tasks.conftest import House
from tests.tasks.test_real_workers import outcome

POINTS = {StepLogged: "step", EvalLogged: "eval", SystemSampled: "system"}
Ended = tuple[str, str | None, int, Any]
"""State, token, attempt and end of a task that has ended."""


def _reachable() -> dict[str, set[str]]:
    """States that may be seen some time after another."""
    after = {old: {new for new in TaskState if new == old or may_follow(old, new)} for old in TaskState}
    for _ in TaskState:
        after = {old: set().union(*(after[new] for new in news)) for old, news in after.items()}
    return {old.value: {new.value for new in news} for old, news in after.items()}


class Watcher:
    """Looks at all tasks again and again; `wrong` has what no two looks after each other may show."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._seen: dict[str, tuple[str, int]] = {}
        self._reachable = _reachable()
        self.wrong: list[str] = []
        self.looks = 0
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            try:
                with self._house.platform.installation.database.read() as session:
                    query = select(TaskRow.id, TaskRow.state, TaskRow.attempt)
                    rows = [(task_id, state, attempt) for task_id, state, attempt in session.execute(query)]
            except PlatformError:
                continue  # it cannot be read at the moment
            self.looks += 1
            for task_id, state, attempt in rows:
                before, earlier = self._seen.get(task_id, (state, attempt))
                if state not in self._reachable[before]:
                    self.wrong.append(f"task {task_id} was {before} and then {state}")
                if attempt < earlier:
                    self.wrong.append(f"task {task_id} was at attempt {earlier} and then at {attempt}")
                self._seen[task_id] = (state, attempt)


@dataclass
class Invariants:
    """`references` are outcomes of trainings that nothing disturbed, by recipe."""

    site: Site
    references: dict[int, dict[str, Any]]
    _ended: dict[str, Ended] = field(default_factory=dict)
    _receipts: dict[str, str] = field(default_factory=dict)

    def broken(self, jobs: Sequence[Job]) -> list[str]:
        """Everything that does not hold."""
        house = self.site.house
        with house.platform.installation.database.read() as session:
            rows = {row.id: row for row in session.scalars(select(TaskRow))}
        wrong = list(self._of_processes())
        wrong += [f"task {job.task_id} was accepted and is not there" for job in jobs if job.task_id not in rows]
        trainings = [row.id for row in rows.values() if row.experiment_id is not None]
        known = {job.task_id: job.recipe for job in jobs}
        wrong += [f"task {task_id} is there and nobody submitted it" for task_id in trainings if task_id not in known]
        finishes = self._finishes()
        for row in rows.values():
            wrong += [f"task {row.id} ({row.kind}): {what}" for what in self._of_task(row, finishes[row.id])]
        for task_id in trainings:
            row, recipe = rows[task_id], known.get(task_id)
            if row.state == TaskState.SUCCESS and recipe is not None:
                wrong += [f"task {task_id}: {what}" for what in self._of_training(row, recipe)]
        wrong += [f"audit log: {fault.what}" for fault in audit_verification.verify(house.platform.audit).faults]
        return wrong

    def _of_processes(self) -> Iterator[str]:
        ours = {program.process.pid for program in self.site.programs.values() if program.process}
        for process in self.site.everything():
            try:
                if process.pid not in ours:
                    yield f"process {process.pid} is an orphan: {' '.join(process.cmdline())}"
            except psutil.Error:
                continue

    def _finishes(self) -> Counter[str]:
        with self.site.house.platform.installation.database.read() as session:
            query = select(AuditEventRow.resource).where(
                AuditEventRow.action == "task.finish", AuditEventRow.outcome == "success"
            )
            return Counter(resource.removeprefix("task:") for resource in session.scalars(query))

    def _of_task(self, row: TaskRow, finishes: int) -> Iterator[str]:
        if row.state != TaskState.SUCCESS:
            yield f"is {row.state} ({row.error_code}: {row.error_detail})"
            return
        if finishes != 1:
            yield f"its success was recorded {finishes} times"
        if row.error_code is not None or row.lease_expires_at is not None:
            yield f"has succeeded with error {row.error_code} and a lease until {row.lease_expires_at}"
        found: Ended = (row.state, row.token, row.attempt, row.finished_at)
        if self._ended.setdefault(row.id, found) != found:
            yield f"was written to after its end: {self._ended[row.id]} became {found}"

    def _of_training(self, row: TaskRow, recipe: int) -> Iterator[str]:
        run = self.site.house.run(row.id)
        yield from self._of_attempts(run, row)
        changed = changed_files(run)
        if changed:
            yield f"its receipt does not verify: {changed}"
        receipt = sha256_file(run.receipt)
        if self._receipts.setdefault(row.id, receipt) != receipt:
            yield "it got a second receipt"
        got, expected = outcome(run), self.references[recipe]
        yield from (
            f"its {key} differ from those of an undisturbed run" for key in expected if got[key] != expected[key]
        )
        yield from self._of_points(run, row)

    def _of_attempts(self, run: RunDirectory, row: TaskRow) -> Iterator[str]:
        owner = read_attempt(run)
        if owner is None or (owner.number, owner.token) != (row.attempt, row.token):
            yield f"its directory belongs to {owner}, its row to attempt {row.attempt}, {row.token}"
        events = read_events(run.events)
        attempts = [event.attempt for event in events if isinstance(event, RunFinished) and event.state == row.state]
        if len(attempts) != len(set(attempts)) or any(attempt > row.attempt for attempt in attempts):
            yield f"attempts {attempts} of {row.attempt} say that they succeeded"

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

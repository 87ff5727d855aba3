"""A site, the people who use it, and what an injection may ask of both."""

import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from sqlalchemy import func, select

from app.db.repositories import tasks
from app.db.tables import TaskRow
from app.domain.task import TaskState
from tests.chaos.record import WAITING
from tests.chaos.site import Site
from tests.chaos.visitors import Job, Visitors

LONGEST_DOWN_SECONDS = 3.0


@dataclass
class Scene:
    """What an injection may use; `disk` is the mounted file system the results are on, where there is one.

    `training_share` of what is submitted are trainings; `repeated` are the ids
    of messages that were copied, `on_their_way` those of them that no fault can have lost.
    """

    site: Site
    visitors: Visitors
    random: random.Random
    disk: Path | None = None
    training_share: float = 0.6
    repeated: set[str] = field(default_factory=set)
    on_their_way: set[str] = field(default_factory=set)

    def down_seconds(self) -> float:
        return self.random.uniform(0, LONGEST_DOWN_SECONDS)

    def somebody_asks(self) -> None:
        """As often as not, work is submitted while the fault lasts."""
        if self.random.random() < 0.5:
            self.submit()

    def submit(self) -> None:
        """A training of one of the recipes, or a file to check, to store or to label."""
        if self.random.random() < self.training_share:
            self.train()
        else:
            self.random.choice([self.visitors.check_data, self.visitors.upload, self.visitors.predict])()

    def train(self) -> None:
        """Submit a training of one of the recipes."""
        self.visitors.train(self.random.choice(sorted(self.visitors.recipes)))

    def a_child(self) -> psutil.Process:
        """One that does work; where none does, something is submitted until one does."""
        found: list[psutil.Process] = []
        asked_at = 0.0

        def is_there() -> bool:
            nonlocal asked_at
            found[:] = self.site.children()
            if not found and time.monotonic() - asked_at > 5 and self.unfinished() == 0:
                asked_at = time.monotonic()
                self.train()
            return bool(found)

        self.site.wait(is_there, "a child at work")
        return self.random.choice(found)

    def unfinished(self) -> int:
        """How many tasks have not ended."""
        with self.site.house.platform.installation.database.read() as session:
            query = select(func.count()).where(TaskRow.state.in_([TaskState.STARTED, *WAITING]))
            return session.scalar(query) or 0

    def a_running_job(self) -> Job:
        """A training or a prediction that runs; where none does, a training is submitted until one does."""
        found: list[Job] = []
        asked_at = 0.0

        def is_there() -> bool:
            nonlocal asked_at
            with self.site.house.platform.installation.database.read() as session:
                running = {task.id for task, _ in tasks.started_tasks(session, queued=True)}
            found[:] = [job for job in self.visitors.jobs if job.task_id in running and job.may_be_cancelled]
            if not found and time.monotonic() - asked_at > 20:
                asked_at = time.monotonic()
                self.train()
            return bool(found)

        self.site.wait(is_there, "a training that runs")
        return self.random.choice(found)

"""A seeded campaign: work is submitted while things break, and after each round everything must be as if nothing had.

The seed decides what is done in which order, to whom and after how long; when exactly it strikes a process is up to the
machine. A failure names the seed, and the site's folder is left as it is.
"""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.db.tables import TaskRow
from app.domain.task import MAX_FAILURES, TaskState
from app.services.verification import verify_run
from tests.chaos.injections import KINDS, Scene, why_not
from tests.chaos.invariants import Invariants, Watcher
from tests.chaos.site import QUEUE, running
from tests.chaos.visitors import PASSWORD, Visitors
from tests.tasks.conftest import REPOSITORY, House, build_house
from tests.tasks.test_real_workers import outcome

SECONDS_TO_QUIET = 1800.0
"""In an idle machine's minute everything that was submitted has ended; a loaded one takes its time."""
LEASE_SECONDS = 4
LONGEST_PAUSE_SECONDS = 1.0
TRIES = 5
STEPS = 60


def recipes(model: Path, number: int) -> list[dict[str, Any]]:
    """Configurations of trainings that differ in their seed: real ones, of a tiny model, that save every few steps."""
    return [
        {
            "experiment_name": f"chaos-{seed}",
            "model": {"name": str(model)},
            "data": {"train": "reviews@1"},
            "lora": {"lora_dropout": 0.1},
            "training": {
                "max_steps": STEPS, "per_device_train_batch_size": 8, "learning_rate": 1e-3, "num_threads": 1,
                "precision": "fp32", "device": "cpu", "seed": seed,
            },
            "checkpoints": {"every": STEPS // 4},
        }
        for seed in range(1, number + 1)
    ]  # fmt: skip


@dataclass
class Campaign:
    """One site, and what was done to it so far."""

    scene: Scene
    watcher: Watcher
    seed: int
    injected: Counter[str] = field(default_factory=Counter)
    survived: Counter[str] = field(default_factory=Counter)
    given_up: int = 0
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.site, self.visitors = self.scene.site, self.scene.visitors
        self.invariants = Invariants(self.site, {})

    def kinds(self) -> list[str]:
        """What can be done here."""
        return [kind for kind in KINDS if not why_not(kind, self.scene.disk)]

    def begin(self) -> None:
        """Train each recipe once with nobody disturbing: what all later runs are compared with."""
        with self._explained():
            self.visitors.sign_in("ada")
            for recipe in range(len(self.visitors.recipes)):
                self.invariants.references[recipe] = self._undisturbed(recipe)
            self._check()
        self._say("undisturbed runs have ended")

    def _undisturbed(self, recipe: int) -> dict[str, Any]:
        """The outcome of a training in one attempt; on a busy machine a lease may run out with nobody's help."""
        for _ in range(TRIES):
            self.visitors.train(recipe)
            self._become_quiet()
            job = self.visitors.jobs[-1]
            task = self.site.house.task(job.task_id)
            assert task.state == TaskState.SUCCESS, task.error_detail
            if task.attempt == 1:
                return outcome(self.site.house.run(job.task_id))
        raise AssertionError(f"none of {TRIES} trainings came to its end in one attempt, though nobody disturbed them")

    def round(self, kinds: Sequence[str]) -> None:
        """Submit, inject each of these in a random order at random moments, wait until it is quiet, and check."""
        with self._explained():
            self.visitors.train(0)
            self.scene.submit()
            for kind in self.scene.random.sample(kinds, len(kinds)):
                self.site.pause(self.scene.random.uniform(0, LONGEST_PAUSE_SECONDS))
                self._say(kind)
                self.injected[kind] += 1
                KINDS[kind](self.scene)
            self._become_quiet()
            self._check()
        self.survived.update(kinds)
        self._say(f"quiet; {len(self.visitors.jobs)} tasks are as they must be")

    def prove_again(self) -> None:
        """`experiments verify` on one of the runs, and `audit verify` on everything, as a person would."""
        with self._explained():
            job = self.scene.random.choice([job for job in self.visitors.jobs if job.recipe is not None])
            run = self.site.house.run(job.task_id)
            assert verify_run(run).passed, f"{run.name} does not verify"
            verified = subprocess.run(
                [sys.executable, "-m", "app.cli", "audit", "verify"],
                cwd=REPOSITORY,
                env=self.site.environment,
                capture_output=True,
                text=True,
            )
            assert verified.returncode == 0, verified.stdout + verified.stderr

    def table(self) -> str:
        """What was done, how often, and what came of it, as Markdown."""
        lines = ["| kind | injected | survived |", "|---|---:|---:|"]
        for kind in KINDS:
            reason = why_not(kind, self.scene.disk)
            numbers = f"{self.injected[kind]} | {self.survived[kind]}" if not reason else f"not run | {reason}"
            lines.append(f"| {kind} | {numbers} |")
        lines.append(f"| together | {self.injected.total()} | {self.survived.total()} |")
        return "\n".join([*lines, "", self._summary()])

    def _summary(self) -> str:
        database = self.site.house.platform.installation.database.engine.url.get_backend_name()
        trainings = sum(1 for job in self.visitors.jobs if job.recipe is not None)
        return (
            f"Seed {self.seed}, {database}, {time.monotonic() - self.started:.0f} s: {trainings} trainings and "
            f"{len(self.visitors.jobs) - trainings} other tasks in {self._attempts()} attempts; {self.given_up} were "
            f"given up after {MAX_FAILURES} spoilt attempts and retried by a person; requests were sent again "
            f"{self.visitors.asked_again} times; {self.watcher.looks} looks at all states."
        )

    def _attempts(self) -> int:
        with self.site.house.platform.installation.database.read() as session:
            return sum(session.scalars(select(TaskRow.attempt)))

    def _become_quiet(self) -> None:
        """Return when every program runs, all that was submitted is accepted and has ended, and nobody works."""
        self.site.wait(self._is_quiet, "quiet", SECONDS_TO_QUIET)

    def _is_quiet(self) -> bool:
        if not self.visitors.all_answered() or any(one.process is None for one in self.site.programs.values()):
            return False  # before the rows are read: who waits for an answer may add to them
        with self.site.house.platform.installation.database.read() as session:
            rows = session.scalars(select(TaskRow)).all()
        given_up = [row for row in rows if row.state == TaskState.FAILURE and row.failures >= MAX_FAILURES]
        for row in given_up:
            self._say(f"task {row.id} was given up: {row.error_code}")
            self.given_up += 1
            self.visitors.retry(row.id)
        if given_up:
            return False
        if not all(TaskState(row.state).is_final for row in rows) or self.site.children():
            return False
        return self.site.programs[QUEUE].is_ready

    def _check(self) -> None:
        wrong = [*self.invariants.broken(self.visitors.jobs), *self.watcher.wrong, *self.site.died]
        assert not wrong, "\n".join(wrong)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """A failure says how to repeat it and where to look."""
        try:
            yield
        except Exception as error:
            raise AssertionError(
                f"seed {self.seed}, everything is in {self.site.folder}:\n{error}\n{self.table()}"
            ) from error

    def _say(self, what: str) -> None:
        print(f"{time.monotonic() - self.started:7.1f} s  {what}", flush=True)


@contextmanager
def campaign(
    folder: Path,
    stored: Path,
    model: Path,
    *,
    seed: int,
    num_recipes: int = 2,
    training_share: float = 0.6,
    disk: Path | None = None,
    database_url: str = "",
) -> Iterator[Campaign]:
    """A campaign on a new site; `stored` is a results directory that has the data, `disk` the file system it is on."""
    house = make_house(folder, stored, model, database_url)
    try:
        with running(folder, house) as site:
            visitors = Visitors(site.url, recipes(model, num_recipes), REPOSITORY / "examples" / "reviews_train.csv")
            watcher = Watcher(house)
            try:
                yield Campaign(Scene(site, visitors, random.Random(seed), disk, training_share), watcher, seed)
            finally:
                watcher.close()
                visitors.leave()
        left = [process.pid for process in site.everything()]
        assert not left, f"seed {seed}: {left} outlived the site in {folder}"
    finally:
        house.close()


def make_house(folder: Path, stored: Path, model: Path, database_url: str = "") -> House:
    """An installation with one account that may train a model of this machine."""
    settings: dict[str, Any] = {"allowed_models": (str(model),), "lease_seconds": LEASE_SECONDS, "max_running": 3}
    if database_url:
        settings["database_url"] = database_url
    house = build_house(folder, stored, engine=True, **settings)
    with house.platform.installation.database.write() as session:
        from app.db.repositories import users

        row = users.get(session, "ada")
        assert row is not None
        row.password_hash = house.platform.passwords.hash(PASSWORD)
    return house

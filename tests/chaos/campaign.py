"""A seeded campaign: work is submitted while things break, and after each round everything must be as if nothing had.

The seed decides what is done in which order, to whom and after how long; when exactly it strikes a process is up to the
machine. A failure names the seed, and the site's folder is left as it is.
"""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.db.repositories import users
from app.db.tables import TaskRow
from app.domain.task import MAX_FAILURES, TaskState
from app.services.verification import verify_run
from tests.chaos.injections import KINDS, why_not
from tests.chaos.invariants import Invariants, outcome
from tests.chaos.record import keep_record, read_record
from tests.chaos.scene import Scene
from tests.chaos.site import QUEUE, running
from tests.chaos.visitors import CHECK, PASSWORD, PREDICT, UPLOAD, Visitors
from tests.tasks.conftest import REPOSITORY, House, build_house

SECONDS_TO_QUIET = 1800.0
"""In an idle machine's minute everything that was submitted has ended; a loaded one takes its time."""
LEASE_SECONDS = 4
LONGEST_PAUSE_SECONDS = 1.0
TRIES = 5
STEPS = 60
TEXTS_REPEATED = 20


def recipes(model: Path, number: int) -> dict[str, dict[str, Any]]:
    """Configurations of trainings that differ in their seed: real ones, of a tiny model, that save every few steps."""
    return {
        f"training {seed}": {
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
    }  # fmt: skip


@dataclass
class Campaign:
    """One site, and what was done to it so far."""

    scene: Scene
    seed: int
    injected: Counter[str] = field(default_factory=Counter)
    survived: Counter[str] = field(default_factory=Counter)
    given_up: int = 0
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.site, self.visitors = self.scene.site, self.scene.visitors
        self.invariants = Invariants(self.site)

    def kinds(self) -> list[str]:
        """What can be done here."""
        return [kind for kind in KINDS if not why_not(kind, self.scene.disk)]

    def begin(self) -> None:
        """Do each kind of work once with nobody disturbing: what all later work is compared with."""
        visitors = self.visitors
        with self._explained():
            visitors.sign_in("ada")
            trainings = {recipe: partial(visitors.train, recipe) for recipe in visitors.recipes}
            self._do_undisturbed({**trainings, CHECK: visitors.check_data, UPLOAD: visitors.upload})
            training = next(job for job in visitors.jobs if job.work in trainings)
            visitors.run = self.site.house.run(training.task_id).name
            self._do_undisturbed({PREDICT: visitors.predict})
            self._check()
        self._say("undisturbed work has ended")

    def _do_undisturbed(self, works: Mapping[str, Callable[[], object]]) -> None:
        """Do all of this in one attempt each; on a busy machine a lease may run out with nobody's help."""
        references = self.invariants.references
        for _ in range(TRIES):
            for work in [one for one in works if one not in references]:
                works[work]()
            self._become_quiet()
            for job in self.visitors.jobs:
                task = self.site.house.task(job.task_id)
                assert task.state == TaskState.SUCCESS, task.error_detail
                if task.attempt == 1:
                    references[job.work] = outcome(self.site.house, task)
            if references.keys() >= works.keys():
                return
        raise AssertionError(f"not all of {TRIES} tries came to their end in one attempt, though nobody disturbed them")

    def round(self, kinds: Sequence[str]) -> None:
        """Submit, inject each of these in a random order at random moments, wait until it is quiet, and check."""
        with self._explained():
            for submit in (self.scene.train, self.visitors.upload, self.visitors.predict):
                submit()
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
            job = self.scene.random.choice([job for job in self.visitors.jobs if job.work in self.visitors.recipes])
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
        work = Counter("training" if job.work in self.visitors.recipes else job.work for job in self.visitors.jobs)
        steps = [step for of_task in read_record(self.site.house).values() for step in of_task]
        stopped = sum(step.new_state == TaskState.REVOKED for step in steps)
        back = sum((step.audited or "").startswith("retry") for step in steps)
        copies = sum(max(0, self.site.deliveries(message) - 1) for message in self.scene.repeated)
        return (
            f"Seed {self.seed}, {database}, {time.monotonic() - self.started:.0f} s: "
            f"{', '.join(f'{number} x {name}' for name, number in work.items())} in "
            f"{sum(step.is_claim for step in steps)} attempts and {len(steps)} recorded steps. {stopped} were stopped "
            f"on request, {self.given_up} given up after {MAX_FAILURES} spoilt attempts, and people let tasks go on "
            f"{back} times. Requests were sent again {self.visitors.asked_again} times; workers got {copies} copies of "
            f"{len(self.scene.repeated)} messages."
        )

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
        return self.site.programs[QUEUE].is_ready and all(
            self.site.deliveries(message) > 1 for message in self.scene.on_their_way
        )

    def _check(self) -> None:
        wrong = [*self.invariants.broken(self.visitors.jobs), *self.site.died]
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
            data = REPOSITORY / "examples" / "reviews_train.csv"
            visitors = Visitors(site.url, recipes(model, num_recipes), data, _texts(folder, data))
            try:
                yield Campaign(Scene(site, visitors, random.Random(seed), disk, training_share), seed)
            finally:
                visitors.leave()
        left = [process.pid for process in site.everything()]
        assert not left, f"seed {seed}: {left} outlived the site in {folder}"
    finally:
        house.close()


def _texts(folder: Path, data: Path) -> Path:
    """Enough rows that labelling them takes a while."""
    header, *rows = data.read_text(encoding="utf-8").splitlines(keepends=True)
    texts = folder / "texts.csv"
    texts.write_text("".join([header, *rows * TEXTS_REPEATED]), encoding="utf-8")
    return texts


def make_house(folder: Path, stored: Path, model: Path, database_url: str = "") -> House:
    """An installation with one account that may train a model of this machine."""
    settings: dict[str, Any] = {"allowed_models": (str(model),), "lease_seconds": LEASE_SECONDS, "max_running": 3}
    if database_url:
        settings["database_url"] = database_url
    house = build_house(folder, stored, engine=True, **settings)
    with house.platform.installation.database.write() as session:
        row = users.get(session, "ada")
        assert row is not None
        row.password_hash = house.platform.passwords.hash(PASSWORD)
    keep_record(house)
    return house

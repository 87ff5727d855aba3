"""Start a training, or go on with one: check, make the run directory and its rows, supervise, tell how it ended."""

import os
import shutil
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import ValidationError

from app.db.repositories import experiments, tasks
from app.db.session import Session
from app.domain.data_report import DataReport
from app.domain.errors import ConfigError, Conflict, PlatformError, StorageError
from app.domain.events import Event
from app.domain.plan import TrainingPlan
from app.domain.task import TaskState
from app.domain.train_config import TrainConfig
from app.domain.wording import say
from app.runs.directory import (
    RunDirectory,
    check_run_name,
    create_numbered_run,
    create_run,
    how_to_resume,
    open_run,
)
from app.runs.files import first_fault, read_json, write_bytes_atomic, write_json
from app.runs.lock import is_locked, next_attempt
from app.services.installation import Installation
from app.services.lost_runs import mark_lost_runs
from app.services.recording import Claim, Recorder
from app.services.registration import read_config, register
from app.services.supervisor import StopRequest, Supervisor

if TYPE_CHECKING:
    from app.data.readability import BaseTokenizer
    from app.data.validation import Checked


@dataclass(frozen=True)
class Interface:
    """Who watches a run: `began` hears which run it is, `event` everything it reports, `stop` is asked to stop it."""

    began: Callable[[RunDirectory], None]
    event: Callable[[Event], None]
    stop: StopRequest


@dataclass(frozen=True)
class Outcome:
    """How a run ended; `metrics` is the content of metrics.json, empty where there is none."""

    run: RunDirectory
    state: TaskState
    error_code: str | None
    error_detail: str | None
    retryable: bool
    metrics: dict[str, Any]

    @property
    def accuracy(self) -> float | None:
        """Accuracy on the evaluation rows."""
        value: float | None = self.metrics.get("eval", {}).get("accuracy")
        return value


def check_base_model(config: TrainConfig) -> None:
    """Find the base model, fetching it from the hub where it must; raises ModelUnusable before anything is made."""
    from app.models.base_models import locate

    locate(config.model.name, config.model.revision)


def check_data(installation: Installation, config: TrainConfig) -> DataReport:
    """Read and validate the training data as the run will; raises what makes it unusable."""
    from app.data.prepare import prepare
    from app.services.profiles import as_stored, profile_checked

    def profile(checked: "Checked") -> dict[str, Any]:
        return as_stored(profile_checked(checked, base_model=config.model.name))

    if config.data.train is None:
        raise ConfigError("no training data is named", hint="give --data FILE, or data.train in the configuration")
    base = base_tokenizer(config.model.name, config.model.revision, config.model.max_length)
    return prepare(config.data, config.training.seed, installation.results_dir, base, profile).report


def base_tokenizer(
    name: str, revision: str | None = None, max_length: int | Literal["auto"] = "auto"
) -> "BaseTokenizer | None":
    """What the data check needs of a base model; None where it has no tokenizer.json. Raises as `locate` does.

    `max_length` in tokens is that of the configuration; `auto` is as much as the model reads.
    """
    from app.data.readability import BaseTokenizer
    from app.models.base_models import locate

    located = locate(name, revision)
    if located.tokenizer_file is None:
        return None
    return BaseTokenizer(
        located.info.name, located.tokenizer_file, located.max_positions if max_length == "auto" else max_length
    )


def read_plan(path: Path) -> TrainingPlan:
    """A plan.json to repeat; ConfigError names the file and the first wrong key."""
    hint = "take plan.json of a run"
    try:
        return TrainingPlan.model_validate(read_json(path))
    except StorageError as error:
        raise ConfigError(error.message, hint=hint) from error
    except ValidationError as error:
        raise ConfigError(
            say("{path} is not a plan: {first_fault}", path=path, first_fault=first_fault(error)), hint=hint
        ) from error


def check_name(installation: Installation, name: str) -> None:
    """Refuse a run name that is taken, before any work is done for it."""
    check_run_name(name)
    with installation.database.read() as session:
        record = experiments.get(session, name)
        task = record.task if record else None
        hopeless = task is not None and task.state == TaskState.FAILURE and not task.retryable
    path = installation.results_dir / name
    if record is not None or path.exists():
        or_resume = "" if hopeless else how_to_resume(RunDirectory(path))
        raise Conflict(
            say("a run named {name!r} exists already", name=name),
            hint=say("choose another --name{or_resume}", or_resume=or_resume),
            code="run.exists",
        )


def start(
    installation: Installation,
    config: TrainConfig,
    report: DataReport,
    interface: Interface,
    *,
    name: str | None = None,
    plan: TrainingPlan | None = None,
    owner: str | None = None,
) -> Outcome:
    """Train on data that `check_data` has passed; returns when the run has ended."""
    if plan is not None and plan.data.version != report.identity.version:
        raise Conflict(
            say(
                "the data is not what the plan was made for: version {version}, the plan has {planned}",
                version=report.identity.version[:12],
                planned=plan.data.version[:12],
            ),
            hint="train without --plan, or bring the data back",
            code="plan.data_changed",
        )
    run = _make_directory(installation, config, name)
    try:
        write_bytes_atomic(run.config, dump_config(config))
        write_json(run.data_report, report.model_dump(mode="json"))
        if plan is not None:
            write_json(run.plan, plan.model_dump(mode="json"))
        claim = _make_rows(installation, run, config, report, owner)
    except BaseException:
        # It never began: the name stays free.
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    return _supervise(installation, run, claim, interface)


def resume(installation: Installation, name: str, interface: Interface) -> Outcome:
    """Go on with a run that failed, was stopped or died, from its last good checkpoint."""
    run = open_run(installation.results_dir, name)
    if run.is_complete:
        raise Conflict(
            say("run {name!r} is finished; there is nothing to resume", name=name),
            hint=say("for a fresh one like it: finetune train --plan {plan}", plan=run.plan),
            code="run.finished",
        )
    read_config(run)
    with installation.database.read() as session:
        known = experiments.get(session, name) is not None
    if not known:
        register(installation.database, run)
    mark_lost_runs(installation.database, installation.results_dir)
    locked = Conflict(
        say("run {name!r} is being written by another process", name=name),
        hint="wait for it, or stop it first",
        code="run.locked",
    )
    if is_locked(run):
        raise locked
    with installation.database.write() as session:
        record = experiments.get(session, name)
        task = record.task if record else None
        # From here on this process alone goes on with it, whoever had asked for it.
        if record is None or task is None or not tasks.reopen(session, task.id, is_queued=False):
            raise locked
        claim = _claim(session, run, task.id, record.experiment.id)
    return _supervise(installation, run, claim, interface)


def dump_config(config: TrainConfig) -> bytes:
    """config.yaml of a run."""
    return yaml.safe_dump(config.as_dict(), sort_keys=False, allow_unicode=True).encode()


def _make_directory(installation: Installation, config: TrainConfig, name: str | None) -> RunDirectory:
    if name is not None:
        check_name(installation, name)
        return create_run(installation.results_dir, name)
    with installation.database.read() as session:
        taken = experiments.names(session)
    return create_numbered_run(installation.results_dir, config.experiment_name, taken)


def _make_rows(
    installation: Installation, run: RunDirectory, config: TrainConfig, report: DataReport, owner: str | None
) -> Claim:
    with installation.database.write() as session:
        experiment_id, task_id = experiments.create(
            session,
            name=run.name,
            experiment_name=config.experiment_name,
            owner=owner,
            config=config.as_dict(),
            base_model=config.model.name,
            data_name=report.identity.name,
            data_version=report.identity.version,
            seed=config.training.seed,
            run_dir=run.name,
        )
        return _claim(session, run, task_id, experiment_id)


def _claim(session: Session, run: RunDirectory, task_id: str, experiment_id: int) -> Claim:
    """Claim the task in the database and the directory; the directory numbers the attempts."""
    token = str(uuid.uuid4())
    if tasks.claim(session, task_id, token=token, pid=os.getpid(), hostname=socket.gethostname()) is None:
        raise Conflict(say("run {name!r} was taken by another process", name=run.name), code="run.locked")
    attempt = next_attempt(run, token).number
    tasks.record_progress(session, task_id, token, attempt=attempt)
    return Claim(task_id=task_id, experiment_id=experiment_id, attempt=attempt, token=token)


def _supervise(installation: Installation, run: RunDirectory, claim: Claim, interface: Interface) -> Outcome:
    interface.began(run)
    recorder = Recorder(installation.database, run, claim)
    finished = Supervisor(recorder, interface.event, interface.stop, installation.engine).run()
    return Outcome(
        run=run,
        state=finished.state,
        error_code=finished.error_code,
        error_detail=finished.error_detail,
        retryable=finished.retryable,
        metrics=_metrics(run),
    )


def _metrics(run: RunDirectory) -> dict[str, Any]:
    try:
        content: dict[str, Any] = read_json(run.metrics) if run.metrics.is_file() else {}
    except PlatformError:
        return {}
    return content

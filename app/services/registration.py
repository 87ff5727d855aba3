"""A run directory made without a database becomes rows in one."""

import os
import shutil
import socket
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path

import yaml
from pydantic import BaseModel, ValidationError

from app.db.repositories import experiments, tasks
from app.db.session import Database
from app.domain.data_report import DataReport
from app.domain.errors import ConfigError, Conflict, InvalidInput, NotFound, StorageError
from app.domain.events import Event, RunFinished
from app.domain.manifest import Attempt, Receipt
from app.domain.plan import TrainingPlan
from app.domain.train_config import TrainConfig
from app.domain.wording import say
from app.runs.directory import RunDirectory, check_run_name, is_run
from app.runs.event_log import read_events
from app.runs.files import first_fault, read_json, read_record, storage_errors
from app.runs.lock import is_locked, read_attempt
from app.runs.receipt import changed_files
from app.services.installation import Installation
from app.services.recording import SPLITS, Claim, Recorder, complete_ending, ending, lost

RECORDED_NUMBERS = ("accuracy", "macro_f1", "loss", "runtime_seconds")


def read_config(run: RunDirectory) -> TrainConfig:
    """config.yaml of a run; ConfigError names the file when somebody damaged it."""
    try:
        return TrainConfig.model_validate(yaml.safe_load(run.config.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValueError) as error:
        reason = first_fault(error) if isinstance(error, ValidationError) else " ".join(str(error).split())
        raise ConfigError(
            say("{config} cannot be used: {reason}", config=run.config, reason=reason),
            hint="it was changed after the run began",
        ) from error


def import_run(installation: Installation, path: Path) -> str:
    """Take in a run directory; it is copied when it lies outside the results directory. The run's name."""
    if not is_run(path):
        raise NotFound(say("{path} is no run directory", path=path), hint="it should hold config.yaml and events.jsonl")
    source = RunDirectory(path)
    check_run_name(source.name)
    with installation.database.read() as session:
        if experiments.get(session, source.name) is not None:
            raise Conflict(
                say("a run named {name!r} is recorded already", name=source.name),
                hint=say(
                    "see `finetune experiments show {name}`; under another directory name it can be imported",
                    name=source.name,
                ),
                code="run.exists",
            )
    if is_locked(source):
        raise Conflict(
            say("run {name!r} is being written", name=source.name),
            hint="import it when it has ended",
            code="run.locked",
        )
    _check_records(source)
    if source.is_complete and (changed := changed_files(source)):
        raise Conflict(
            say("{path} is not what its receipt says: {changed} changed", path=path, changed=", ".join(changed[:5])),
            hint="take the unchanged run",
            code="receipt.mismatch",
        )
    if source.results_dir == installation.results_dir.resolve():
        register(installation.database, source)
        return source.name
    run = _copy(source, installation.results_dir)
    try:
        register(installation.database, run)
    except BaseException:
        # It is not recorded: the name stays free for another try.
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    return run.name


def _check_records(run: RunDirectory) -> None:
    """InvalidInput, naming the file and its first wrong key, when a record of the run cannot be read."""
    kinds: dict[Path, type[BaseModel]] = {
        run.receipt: Receipt,
        run.attempt: Attempt,
        run.data_report: DataReport,
        run.plan: TrainingPlan,
    }
    read_config(run)
    try:
        for path, kind in kinds.items():
            if path.exists():
                read_record(path, kind)
        for path in (run.metrics, run.environment):
            if path.exists() and (wrong := _wrong_part(read_json(path))):
                raise StorageError(
                    say("cannot read {path}: {wrong}", path=path, wrong=wrong), code="storage.unreadable"
                )
    except StorageError as error:
        raise InvalidInput(error.message, hint="take an undamaged copy of the run", code=error.code) from error


def _wrong_part(content: object) -> str:
    """What of metrics.json or environment.json has not the form that is recorded; empty when nothing."""
    if not isinstance(content, dict):
        return "expected an object"
    for name in (*SPLITS, "train", "libraries"):
        part = content.get(name) or {}
        if not isinstance(part, dict):
            return f"{name}: expected an object"
        for key in RECORDED_NUMBERS:
            if not isinstance(part.get(key), int | float | None):
                return f"{name}.{key}: expected a number"
    return "" if isinstance(content.get("code_revision"), str | None) else "code_revision: expected text"


def _copy(source: RunDirectory, results_dir: Path) -> RunDirectory:
    target = results_dir / source.name
    if target.exists():
        raise Conflict(
            say("{target} exists already", target=target), hint="rename the directory to import", code="run.exists"
        )
    with storage_errors(target):
        results_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".import-", dir=results_dir) as folder:
            copied = Path(folder) / source.name
            shutil.copytree(source.path, copied, ignore=_links)
            copied.rename(target)
    return RunDirectory(target)


def _links(folder: str, names: list[str]) -> set[str]:
    """Links may point anywhere; a run has none."""
    return {name for name in names if (Path(folder) / name).is_symlink()}


def register(database: Database, run: RunDirectory) -> None:
    """Write the rows of a run that no process writes now, from its files alone."""
    config, events = read_config(run), read_events(run.events)
    attempt = read_attempt(run)
    number = max([event.attempt for event in events], default=attempt.number if attempt else 1)
    identity = read_record(run.data_report, DataReport).identity if run.data_report.is_file() else None
    token = str(uuid.uuid4())
    with database.write() as session:
        experiment_id, task_id = experiments.create(
            session,
            name=run.name,
            experiment_name=config.experiment_name,
            created_at=_began(run, events),
            config=config.as_dict(),
            base_model=config.model.name,
            data_name=identity.name if identity else config.data.train,
            data_version=identity.version if identity else None,
            seed=config.training.seed,
            run_dir=run.name,
        )
        tasks.claim(session, task_id, token=token, pid=os.getpid(), hostname=socket.gethostname())
        tasks.record_progress(session, task_id, token, attempt=number)
        claim = Claim(task_id, experiment_id, number, token)
    recorder = Recorder(database, run, claim)
    recorder.take_new()
    recorder.finish(_ending(run, events, number))


def _ending(run: RunDirectory, events: list[Event], attempt: int) -> RunFinished:
    known = complete_ending(run) or ending(events, attempt)
    return known or lost("the run directory holds no ending")


def _began(run: RunDirectory, events: list[Event]) -> datetime:
    seconds = events[0].time if events and events[0].time else run.config.stat().st_mtime
    return datetime.fromtimestamp(seconds, UTC)

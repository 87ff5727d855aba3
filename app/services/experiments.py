"""Look experiments up: lists, one in full, several side by side; give them to somebody, delete them."""

import difflib
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from app.db.repositories import experiments, metrics
from app.db.repositories.experiments import ExperimentRecord, ListedExperiment
from app.db.session import Session
from app.domain.errors import Conflict, NotFound
from app.domain.filters import parse_filter, parse_sort
from app.domain.task import TaskState
from app.domain.wording import say
from app.runs.directory import RunDirectory
from app.runs.files import storage_errors, tree_size
from app.runs.lock import is_locked
from app.services.installation import Installation
from app.services.lost_runs import mark_lost_runs

PLAN_KEYS_COMPARED = (
    "max_length",
    "target_modules",
    "modules_to_save",
    "device",
    "precision",
    "num_threads",
    "train_batch_size",
    "gradient_accumulation_steps",
    "num_train_epochs",
    "total_steps",
    "warmup_steps",
    "learning_rate",
    "eval_every",
)


def _unrecorded(*_event: object, **_details: object) -> None:
    """Where nobody keeps an audit log."""


def list_experiments(
    installation: Installation, where: str | None = None, sort: str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """Summaries, newest first unless `sort` says otherwise; InvalidInput when a condition cannot be read."""
    condition = parse_filter(where) if where is not None else None
    order = {"sort": parse_sort(sort)} if sort is not None else {}
    mark_lost_runs(installation.database, installation.results_dir)
    with installation.database.read() as session:
        found = experiments.find(session, condition, limit=limit, **order)
        return [summary(record) for record in found]


def summary(record: ListedExperiment) -> dict[str, Any]:
    """One line of a list; every value is a plain JSON type."""
    return {
        "name": record.name,
        "state": record.state,
        "created_at": _rfc3339(record.created_at),
        "base_model": record.base_model,
        "dataset": record.data_name,
        "accuracy": record.accuracy,
        "runtime_seconds": record.runtime_seconds,
        "macro_f1": record.macro_f1,
        "loss": record.loss,
        "experiment": record.experiment_name,
        "owner": record.owner,
        "task_id": record.task_id,
        "stage": record.stage,
        "progress": record.progress,
        "error": _error(record),
    }


def show(installation: Installation, name: str) -> dict[str, Any]:
    """Everything that is known of one run, its lineage included."""
    mark_lost_runs(installation.database, installation.results_dir)
    record = _find(installation, name)
    with installation.database.read() as session:
        return {
            **describe(session, record),
            "dir": str((installation.results_dir / record.experiment.run_dir).resolve()),
        }


def describe(session: Session, record: ExperimentRecord) -> dict[str, Any]:
    """What the database knows of one run."""
    experiment, task = record.experiment, record.task
    return {
        **summary(record.summary),
        "task": {
            "task_id": task.id,
            "attempt": task.attempt,
            "started_at": _rfc3339(task.started_at),
            "finished_at": _rfc3339(task.finished_at),
            "eta_seconds": task.eta_seconds,
        }
        if task
        else None,
        "lineage": {
            "data_version": experiment.data_version,
            "seed": experiment.seed,
            "code_revision": experiment.code_revision,
            "libraries": experiment.library_versions,
        },
        "metrics": {
            **metrics.evaluations(session, experiment.id),
            **({"train": experiment.train_metrics} if experiment.train_metrics else {}),
        },
        "checkpoints": [
            {"step": row.step, "path": row.path, "size_bytes": row.size_bytes}
            for row in metrics.checkpoints(session, experiment.id)
        ],
        "config": experiment.config,
        "plan": experiment.plan,
    }


def compare(installation: Installation, names: Sequence[str]) -> dict[str, Any]:
    """Where runs differ: `config`, `plan` and `metrics` map a dotted key to the runs' values, in order of `names`."""
    return differences([show(installation, name) for name in names])


def differences(shown: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Where described runs differ."""
    plans = [{key: (run["plan"] or {}).get(key) for key in PLAN_KEYS_COMPARED} for run in shown]
    measured = [flatten(run["metrics"]) for run in shown]
    numbers = [
        {k: v for k, v in one.items() if isinstance(v, int | float) and not isinstance(v, bool)} for one in measured
    ]
    return {
        "runs": [run["name"] for run in shown],
        "config": _differences([flatten(run["config"]) for run in shown]),
        "data": _differences([{"version": run["lineage"]["data_version"], "name": run["dataset"]} for run in shown]),
        "plan": _differences(plans),
        "metrics": _differences(numbers),
    }


def flatten(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, by dotted key; lists stay whole."""
    if not isinstance(values, dict):
        return {prefix: values}
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return flat


def assign(
    installation: Installation, name: str, owner: str | None, audit: Callable[..., object] = _unrecorded
) -> None:
    """Make somebody the owner of a run; None takes it from everybody.

    `audit(session, action, resource, details=...)` records the change in its transaction.
    """
    record = _find(installation, name)
    with installation.database.write() as session:
        experiments.set_owner(session, record.experiment.id, owner)
        details = {"from": record.experiment.owner, "to": owner}
        audit(session, "experiment.assign", f"experiment:{name}", details=details)


def describe_deletion(installation: Installation, name: str) -> tuple[Path, int]:
    """First step of deleting: the directory that would go, and its bytes. Conflict while the run is in use."""
    run = _deletable(installation, name)
    return run.path, tree_size(run.path) if run.path.is_dir() else 0


def delete(installation: Installation, name: str, audit: Callable[..., object] = _unrecorded) -> None:
    """Second step: remove rows and directory, both or neither; recorded as `assign` is."""
    _deletable(installation, name)
    record = _find(installation, name)
    with removing(installation, record) as session:
        experiments.delete(session, record.experiment.id)
        audit(session, "experiment.delete", f"experiment:{name}", details={"owner": record.experiment.owner})


@contextmanager
def removing(installation: Installation, record: ExperimentRecord) -> Iterator[Session]:
    """A transaction to remove a run's rows in: its directory goes when that is committed, and stays otherwise."""
    run = RunDirectory(installation.results_dir / record.experiment.run_dir)
    aside, moved = run.results_dir / f".deleted-{uuid.uuid4()}", False
    try:
        with installation.database.write() as session:
            yield session
            if run.path.is_dir():
                with storage_errors(run.path):
                    run.path.rename(aside)
                moved = True
    except BaseException:
        if moved:
            aside.rename(run.path)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def find_run(installation: Installation, name: str) -> RunDirectory:
    """The directory of a recorded run; NotFound when it is gone from the disk."""
    run = RunDirectory(installation.results_dir / _find(installation, name).experiment.run_dir)
    if not run.path.is_dir():
        raise NotFound(
            say("the directory of run {name!r} is gone: {path}", name=name, path=run.path),
            hint="`finetune experiments delete` forgets the run",
        )
    return run


def latest_run(installation: Installation) -> RunDirectory:
    """The directory of the newest run."""
    with installation.database.read() as session:
        newest = experiments.find(session, limit=1)
    if not newest:
        raise NotFound("there are no runs yet", hint="make one with `finetune train`")
    return find_run(installation, newest[0].name)


def _find(installation: Installation, name: str) -> ExperimentRecord:
    with installation.database.read() as session:
        record = experiments.get(session, name)
        if record is not None:
            return record
        near = difflib.get_close_matches(name, experiments.names(session), n=3)
    if (installation.results_dir / name / "config.yaml").is_file():
        hint = f"its directory is there: `finetune experiments import {installation.results_dir / name}`"
    else:
        hint = f"did you mean {', '.join(near)}?" if near else "`finetune experiments list` shows all runs"
    raise NotFound(say("there is no run {name!r}", name=name), hint=hint)


def _deletable(installation: Installation, name: str) -> RunDirectory:
    mark_lost_runs(installation.database, installation.results_dir)
    record = _find(installation, name)
    run = RunDirectory(installation.results_dir / record.experiment.run_dir)
    running = record.task is not None and record.task.state == TaskState.STARTED
    if running or (run.path.is_dir() and is_locked(run)):
        raise Conflict(say("run {name!r} is being written", name=name), hint="stop it first", code="run.locked")
    return run


def _differences(flat: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    keys = dict.fromkeys(key for one in flat for key in one)
    rows = {key: [one.get(key) for one in flat] for key in keys}
    return {key: values for key, values in rows.items() if any(value != values[0] for value in values[1:])}


def _error(record: ListedExperiment) -> dict[str, Any] | None:
    if record.error_code is None:
        return None
    return {"code": record.error_code, "detail": record.error_detail, "retryable": record.retryable}


def _rfc3339(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None

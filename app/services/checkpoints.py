"""List and prune the checkpoints of a run, on disk and, where it is recorded, in the database."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from app.db.repositories import experiments, metrics, stored_work
from app.db.session import Database
from app.domain.errors import InvalidInput, PlatformError
from app.domain.plan import TrainingPlan
from app.domain.train_config import CheckpointReason, Metric
from app.domain.wording import say
from app.runs.checkpoints import Checkpoint, find_checkpoints, kept_for, remove_checkpoint
from app.runs.directory import RunDirectory
from app.runs.files import read_json, size_of
from app.runs.lock import run_lock
from app.services.registration import read_config

REASONS: tuple[CheckpointReason, ...] = ("best", "last", "fastest")


def list_checkpoints(run: RunDirectory) -> list[dict[str, Any]]:
    """Every checkpoint with its scores, the reasons to keep it, and whether its files are what was saved."""
    found, metric = find_checkpoints(run.checkpoints), _metric(run)
    return [_describe(one, found, metric) for one in found]


def parse_keep(text: str) -> list[CheckpointReason]:
    """`best,last` as reasons."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    wrong = [word for word in words if word not in REASONS]
    if wrong or not words:
        raise InvalidInput(
            say("cannot keep {wrong}", wrong=", ".join(wrong) or "nothing"),
            hint=say("choose among {reasons}", reasons=", ".join(REASONS)),
        )
    return [reason for reason in REASONS if reason in words]


def plan_pruning(run: RunDirectory, keep: Sequence[CheckpointReason] | None = None) -> list[dict[str, Any]]:
    """First step: the checkpoints that would go; `keep` defaults to the run's own setting.

    Damaged ones go too, as long as an intact one stays. A run that is not complete keeps its last checkpoint whatever
    is asked: it is what a resume starts from.
    """
    wanted = list(keep) if keep is not None else list(read_config(run).checkpoints.keep)
    if not run.is_complete and "last" not in wanted:
        wanted.append("last")
    shown = list_checkpoints(run)
    if not any(one["intact"] for one in shown):
        return []
    return [one for one in shown if not set(one["reasons"]) & set(wanted)]


def prune(run: RunDirectory, keep: Sequence[CheckpointReason] | None = None, database: Database | None = None) -> int:
    """Second step: remove them; the bytes gained. Conflict while the run is being written."""
    with run_lock(run):
        going = plan_pruning(run, keep)
        for one in going:
            remove_checkpoint(run.path / one["path"])
    size = size_of(run.path)
    if database is not None:
        with database.write() as session:
            record = experiments.get(session, run.name)
            if record is not None:
                for one in going:
                    metrics.remove_checkpoint(session, record.experiment.id, step=one["step"])
                stored_work.put_run(session, record.experiment.id, size)
    return sum(one["size_bytes"] for one in going)


def _metric(run: RunDirectory) -> Metric:
    """What `best` means in this run."""
    with suppress(PlatformError, ValueError):
        if run.plan.is_file():
            return TrainingPlan.model_validate(read_json(run.plan)).config.checkpoints.metric
    return read_config(run).checkpoints.metric


def _describe(one: Checkpoint, found: Sequence[Checkpoint], metric: Metric) -> dict[str, Any]:
    manifest = one.manifest
    reasons = [reason for reason, path in kept_for(found, metric).items() if path == one.path]
    return {
        "path": one.path.relative_to(one.path.parents[2]).as_posix(),
        "step": manifest.step if manifest else int(one.path.name.removeprefix("step-").split("-")[0]),
        "epoch": manifest.epoch if manifest else None,
        "train_seconds": manifest.train_seconds if manifest else None,
        "metrics": manifest.metrics if manifest else None,
        "reasons": [reason for reason in REASONS if reason in reasons],
        "size_bytes": one.size_bytes,
        "intact": manifest is not None,
        "damage": one.damage,
    }

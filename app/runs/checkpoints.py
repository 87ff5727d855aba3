"""Checkpoints on disk: which there are, whether they are intact, which the retention rule keeps. Reads no tensor."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from app.domain.errors import CheckpointDamaged, StorageError
from app.domain.manifest import CheckpointManifest
from app.domain.retention import ScoredCheckpoint, choose
from app.domain.train_config import CheckpointReason, Metric
from app.runs.files import hash_tree, read_json, storage_errors, tree_size

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """One folder; `manifest` is None and `damage` says why where it cannot be used."""

    path: Path
    size_bytes: int
    manifest: CheckpointManifest | None
    damage: str | None = None


def verify(folder: Path) -> CheckpointManifest:
    """The manifest of a checkpoint whose files all match it; CheckpointDamaged names the first that does not."""
    try:
        manifest = CheckpointManifest.model_validate(read_json(folder / MANIFEST))
    except (StorageError, ValidationError) as error:
        raise CheckpointDamaged(f"checkpoint {folder.name} has no valid manifest") from error
    found = hash_tree(folder)
    found.pop(MANIFEST, None)
    wrong = sorted(name for name in manifest.files.keys() | found.keys() if manifest.files.get(name) != found.get(name))
    if wrong:
        raise CheckpointDamaged(f"checkpoint {folder.name} is damaged: {wrong[0]} is not what was saved")
    return manifest


def find_checkpoints(folder: Path) -> list[Checkpoint]:
    """All checkpoints below `folder`, verified, in order of steps."""
    found = []
    for path in sorted(folder.glob("step-*")):
        try:
            found.append(Checkpoint(path, tree_size(path), verify(path)))
        except CheckpointDamaged as error:
            found.append(Checkpoint(path, tree_size(path), None, error.message))
    return found


def kept_for(found: Iterable[Checkpoint], metric: Metric) -> dict[CheckpointReason, Path]:
    """The intact checkpoint that each reason names."""
    intact = {c.manifest.step: c for c in found if c.manifest is not None}
    scored = [
        ScoredCheckpoint(
            step=m.step,
            train_seconds=m.train_seconds,
            score=(m.metrics or {}).get(metric),
            loss=(m.metrics or {}).get("loss"),
            num_eval_rows=m.num_eval_rows,
        )
        for c in intact.values()
        if (m := c.manifest) is not None
    ]
    return {reason: intact[step].path for reason, step in choose(scored, metric).items()}


def remove_checkpoint(path: Path) -> None:
    """Remove one checkpoint; its manifest goes first, so a removal cut short leaves none that looks whole."""
    with storage_errors(path):
        (path / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(path)

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


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint after `step` steps lies."""
    return folder / f"step-{step:06d}"


def _in_order(folder: Path) -> list[Path]:
    """Checkpoint folders by number of steps; other names are none of ours."""
    numbered = {path: path.name.removeprefix("step-") for path in folder.glob("step-*")}
    return sorted((path for path, number in numbered.items() if number.isdecimal()), key=lambda p: int(numbered[p]))


def read_manifest(checkpoint: Path) -> CheckpointManifest:
    """The manifest of a checkpoint; CheckpointDamaged when it is missing or unreadable."""
    try:
        return CheckpointManifest.model_validate(read_json(checkpoint / MANIFEST))
    except (StorageError, ValidationError) as error:
        raise CheckpointDamaged(f"checkpoint {checkpoint.name} has no valid manifest") from error


def verify(checkpoint: Path) -> CheckpointManifest:
    """The manifest of a checkpoint whose files all match it; CheckpointDamaged names the first that does not."""
    manifest = read_manifest(checkpoint)
    found = hash_tree(checkpoint)
    found.pop(MANIFEST, None)
    wrong = sorted(name for name in manifest.files.keys() | found.keys() if manifest.files.get(name) != found.get(name))
    if wrong:
        raise CheckpointDamaged(
            f"checkpoint {checkpoint.name} is damaged: {wrong[0]} is not what was saved",
            hint="an earlier checkpoint is used where there is one",
        )
    return manifest


def manifests(folder: Path) -> list[CheckpointManifest]:
    """Manifests of all checkpoints in `folder` that have one, in order of steps; their files are not looked at."""
    found = []
    for path in folder.glob("step-*"):
        try:
            found.append(read_manifest(path))
        except CheckpointDamaged:
            continue
    return sorted(found, key=lambda manifest: manifest.step)


def latest_verified(folder: Path, plan_sha256: str) -> tuple[Path | None, list[CheckpointDamaged]]:
    """The newest checkpoint whose files are intact and belong to this plan, and what was wrong with newer ones."""
    damaged: list[CheckpointDamaged] = []
    for path in reversed(_in_order(folder)):
        try:
            manifest = verify(path)
        except CheckpointDamaged as error:
            damaged.append(error)
            continue
        if manifest.plan_sha256 == plan_sha256:
            return path, damaged
        damaged.append(CheckpointDamaged(f"checkpoint {path.name} was made by another plan"))
    return None, damaged


def scored(found: Iterable[CheckpointManifest], metric: Metric) -> list[ScoredCheckpoint]:
    """What the retention rule looks at."""
    return [
        ScoredCheckpoint(
            step=m.step,
            train_seconds=m.train_seconds,
            score=(m.metrics or {}).get(metric),
            loss=(m.metrics or {}).get("loss"),
            num_eval_rows=m.num_eval_rows,
        )
        for m in found
    ]


def find_checkpoints(folder: Path) -> list[Checkpoint]:
    """All checkpoints below `folder`, verified, in order of steps."""
    found = []
    for path in _in_order(folder):
        try:
            found.append(Checkpoint(path, tree_size(path), verify(path)))
        except CheckpointDamaged as error:
            found.append(Checkpoint(path, tree_size(path), None, error.message))
    return found


def kept_for(found: Iterable[Checkpoint], metric: Metric) -> dict[CheckpointReason, Path]:
    """The intact checkpoint that each reason names."""
    intact = {c.manifest.step: c for c in found if c.manifest is not None}
    chosen = choose(scored([c.manifest for c in intact.values() if c.manifest is not None], metric), metric)
    return {reason: intact[step].path for reason, step in chosen.items()}


def remove_checkpoint(path: Path) -> None:
    """Remove one checkpoint; its manifest goes first, so a removal cut short leaves none that looks whole."""
    with storage_errors(path):
        (path / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(path)


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed process was still writing."""
    for path in folder.glob(".step-*.tmp"):
        shutil.rmtree(path, ignore_errors=True)

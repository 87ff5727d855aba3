"""Stored data sets: add a file under a name, look versions up, compare, export, remove, free room."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from app.data import catalogue, exporting, garbage, stored, versioning
from app.data.analysis import Progress, no_progress
from app.data.diff import diff as compare
from app.data.prepare import check, collect
from app.data.store_files import store_lock
from app.data.validation import Checked
from app.domain.data_version import (
    DamagedManifest,
    Garbage,
    NamedVersion,
    Origin,
    VersionDiff,
    VersionManifest,
)
from app.domain.errors import DatasetDamaged, InvalidInput
from app.domain.train_config import DataConfig
from app.domain.wording import say
from app.services.profiles import as_stored, profile_checked

GRACE_MINUTES = 60
"""Between storing a version and making the run that refers to it, nothing keeps it but its age."""


def add(
    results_dir: Path,
    name: str,
    data: DataConfig,
    *,
    seed: int,
    checked: dict[str, Checked] | None = None,
    progress: Progress = no_progress,
) -> tuple[NamedVersion, bool]:
    """Store checked data as the next version of a name; False with the version the name has already for this content.

    What is stored has a profile of the rows that were given as training data, made while `progress` hears of it.

    Texts that earlier versions of the name have stay in their split. DataBlocked where a finding blocks; nothing is
    stored then.
    """
    catalogue.check_data_name(name)
    checked = checked or check(data, results_dir)
    profile: dict[str, Any] = {}
    while True:
        before = catalogue.entries(results_dir, name)
        kept = stored.splits_by_text(name, results_dir) if data.eval is None else None
        collected = collect(data, seed, results_dir, kept=kept, checked=checked)
        profile = collected.origin.profile or profile
        profile = profile or as_stored(profile_checked(checked["train"], progress=progress))
        origin = collected.origin.model_copy(update={"profile": profile})
        with store_lock(results_dir):
            if catalogue.entries(results_dir, name) != before:
                continue  # another process added a version meanwhile: its rows keep their splits here too
            version = versioning.store_in_lock(collected.examples, results_dir, origin)
            entry = catalogue.add(results_dir, name, version, before[-1].version if before else None)
        return entry, entry.number not in {known.number for known in before}


def list_versions(results_dir: Path) -> list[tuple[NamedVersion, VersionManifest]]:
    """Every named version, by name, oldest first; a DamagedManifest stands for one that cannot be read."""
    return [(entry, _manifest_or_damage(entry, results_dir)) for entry in catalogue.all_entries(results_dir)]


def _manifest_or_damage(entry: NamedVersion, results_dir: Path) -> VersionManifest:
    try:
        return versioning.read_manifest(entry.version, results_dir)
    except DatasetDamaged as error:
        return DamagedManifest(
            version=entry.version,
            created_at=entry.created_at,
            columns=[],
            rows=0,
            labels={},
            splits={},
            chunks=[],
            origin=Origin(),
            damage=error.message,
        )


def show(results_dir: Path, reference: str) -> tuple[NamedVersion, VersionManifest]:
    """One version; every chunk of it is read and checked."""
    entry = catalogue.find(results_dir, reference)
    versioning.load(entry.version, results_dir)
    return entry, versioning.read_manifest(entry.version, results_dir)


def diff(results_dir: Path, old: str, new: str) -> VersionDiff:
    """What changed from one version to another."""
    before, after = catalogue.find(results_dir, old), catalogue.find(results_dir, new)
    return compare(
        versioning.load(before.version, results_dir),
        versioning.load(after.version, results_dir),
        str(before),
        str(after),
    )


def export(results_dir: Path, reference: str, path: Path, split: str | None) -> int:
    """Write a version, or one split of it, to a new file; returns the number of rows."""
    entry = catalogue.find(results_dir, reference)
    examples = versioning.load(entry.version, results_dir)
    if split is not None:
        there = [name for name in versioning.SPLITS if any(row.split == name for row in examples)]
        if split not in there:
            raise InvalidInput(
                say("{entry} has no split {split!r}", entry=entry, split=split),
                hint=say("it has {there}", there=", ".join(there)),
            )
        examples = [row for row in examples if row.split == split]
    exporting.export(examples, path, with_split=split is None)
    return len(examples)


def remove(results_dir: Path, reference: str) -> NamedVersion:
    """Take the number from a version; NAME alone is refused, so that no version goes that was not meant."""
    if "@" not in reference:
        raise InvalidInput(
            say("{reference!r} does not say which version", reference=reference),
            hint="write NAME@NUMBER, as in reviews@2",
        )
    entry = catalogue.find(results_dir, reference)
    catalogue.remove(results_dir, entry)
    return entry


def collect_garbage(
    results_dir: Path,
    *,
    grace_minutes: float = GRACE_MINUTES,
    dry_run: bool = False,
    recorded: Callable[[Garbage], AbstractContextManager[object]] = nullcontext,
) -> Garbage:
    """Free what no name and no run refers to, older than the grace; files are removed inside `recorded`."""
    return garbage.collect(results_dir, grace_seconds=60 * grace_minutes, dry_run=dry_run, recorded=recorded)

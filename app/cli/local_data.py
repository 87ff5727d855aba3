"""Labelled data on this machine: files, and the versions stored in the results directory."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.cli.backend import Progress
    from app.data.validation import Checked
    from app.domain.data_profile import DataProfile
    from app.domain.data_report import ValidationReport
    from app.domain.data_version import NamedVersion, VersionDiff, VersionManifest
    from app.domain.train_config import DataConfig


class LocalData:
    """Files on this machine, and the versions stored in the results directory."""

    def __init__(self) -> None:
        self._checked: tuple[DataConfig, dict[str, Checked]] | None = None

    @cached_property
    def _results_dir(self) -> Path:
        from app.settings import get_settings

        return get_settings().results_dir

    def validate(
        self, data: "DataConfig", base_model: str | None, max_length: int | None
    ) -> "dict[str, ValidationReport]":
        """What is wrong with files, by split."""
        return {split: one.report for split, one in self.check(data, base_model, max_length).items()}

    def check(self, data: "DataConfig", base_model: str | None, max_length: int | None) -> "dict[str, Checked]":
        """The files, read and checked; they are kept for `add`."""
        from app.cli import data_progress
        from app.data.prepare import check
        from app.services.training import base_tokenizer

        base = None if base_model is None else base_tokenizer(base_model, max_length=max_length or "auto")
        with data_progress.shown():
            checked = check(data, base=base)
        self._checked = (data, checked)
        return checked

    def add(self, name: str, data: "DataConfig", *, seed: int, progress: "Progress") -> tuple[str, bool]:
        """Store files as the next version of a name."""
        from app.cli.recorded import recorded
        from app.services import data_sets

        before, checked = self._checked or (None, None)
        if before != data:
            checked = self.check(data, None, None)
        sources = {"train": data.train, "eval": data.eval, "test": data.test}
        files = {split: Path(source).name for split, source in sources.items() if source is not None}
        with recorded("dataset.create", f"dataset:{name}", files=files):
            entry, is_new = data_sets.add(self._results_dir, name, data, seed=seed, checked=checked, progress=progress)
        return str(entry), is_new

    def list(self) -> "list[dict[str, Any]]":
        """Every named version."""
        from app.services import data_sets

        return [version_summary(entry, manifest) for entry, manifest in data_sets.list_versions(self._results_dir)]

    def show(self, reference: str) -> dict[str, Any]:
        """One version in full; its content is read and checked."""
        from app.services import data_sets

        entry, manifest = data_sets.show(self._results_dir, reference)
        told = {"origin", "version", "created_at", "rows", "labels", "splits"}
        details = manifest.model_dump(mode="json", exclude=told)
        return {**version_summary(entry, manifest), **details, **manifest.origin.model_dump(mode="json")}

    def profile(
        self, data: "DataConfig", *, base_model: str | None, with_map: bool, progress: "Progress"
    ) -> "DataProfile":
        """What a file or a stored version looks like."""
        from app.services.profiles import profile

        return profile(data, self._results_dir, base_model=base_model, with_map=with_map, progress=progress)

    def diff(self, old: str, new: str, *, whole: bool) -> dict[str, Any]:
        """What changed from one version to another, always with all rows."""
        from app.services import data_sets

        return counted(data_sets.diff(self._results_dir, old, new))

    def export(self, reference: str, path: Path, split: str | None) -> int:
        """Write a version to a new file."""
        from app.services import data_sets

        return data_sets.export(self._results_dir, reference, path, split)

    def remove(self, reference: str) -> str:
        """Forget one version."""
        from app.cli.recorded import recorded
        from app.services import data_sets

        with recorded("dataset.delete", f"dataset:{reference}"):
            return str(data_sets.remove(self._results_dir, reference))


def version_summary(entry: "NamedVersion", manifest: "VersionManifest") -> dict[str, Any]:
    """One version as lists show it."""
    summary = {"name": entry.name, "number": entry.number, "version": entry.version, "parent": entry.parent}
    damage = getattr(manifest, "damage", None)
    return summary | {
        "created_at": entry.created_at.isoformat(),
        "rows": manifest.rows,
        "labels": manifest.labels,
        "splits": manifest.splits,
        **({"damage": damage} if damage else {}),
    }


def counted(found: "VersionDiff") -> dict[str, Any]:
    """A difference with its counts before it."""
    counts = {f"num_{kind}": len(getattr(found, kind)) for kind in ("added", "removed", "relabelled")}
    return {**counts, **found.model_dump(mode="json")}

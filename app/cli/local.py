"""The installation on this machine: commands reach it through the services, in this process."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from app.cli.backend import Progress
    from app.cli.training import Terminal, Training
    from app.data.validation import Checked
    from app.domain.audit import AuditFilter
    from app.domain.data_profile import DataProfile
    from app.domain.data_report import ValidationReport
    from app.domain.data_version import NamedVersion, VersionDiff, VersionManifest
    from app.domain.principal import Role
    from app.domain.train_config import DataConfig
    from app.schemas.audit import AuditItem, AuditVerification
    from app.schemas.users import UpdateUser, UserView
    from app.services.auditing import AuditLog
    from app.services.export import Format
    from app.services.installation import Installation


class LocalExperiments:
    """Runs in the results directory and its database."""

    @cached_property
    def _installation(self) -> "Installation":
        from app.services.installation import open_installation
        from app.settings import get_settings

        return open_installation(get_settings())

    def list(self, where: str | None, sort: str | None, limit: int | None) -> "list[dict[str, Any]]":
        """Summaries."""
        from app.services.experiments import list_experiments

        return list_experiments(self._installation, where, sort, limit)

    def show(self, name: str) -> dict[str, Any]:
        """Everything that is known of one run."""
        from app.services.experiments import show

        return show(self._installation, name)

    def compare(self, names: Sequence[str]) -> dict[str, Any]:
        """Where runs differ."""
        from app.services.experiments import compare

        return compare(self._installation, names)

    def export_text(self, name: str, kind: "Format") -> str:
        """The record with all metric points, or the points alone."""
        from app.services.export import export_text

        return export_text(self._installation, name, kind)

    def export_archive(self, name: str, path: Path, kind: "Format") -> None:
        """The directory of a run without its checkpoints."""
        from app.services.export import export_run

        export_run(self._installation, name, path, kind)

    def assign(self, name: str, owner: str | None) -> None:
        """Make somebody the owner."""
        from app.services.experiments import assign

        assign(self._installation, name, owner)

    def deletion(self, name: str) -> tuple[str, int]:
        """The directory that would go, and its bytes."""
        from app.services.experiments import describe_deletion

        path, size = describe_deletion(self._installation, name)
        return str(path), size

    def delete(self, name: str) -> None:
        """Remove rows and directory."""
        from app.services.experiments import delete

        delete(self._installation, name)

    def log(self, name: str | None) -> tuple[str, Iterator[str]]:
        """The file a run's log is in, and its lines."""
        from app.services.experiments import find_run, latest_run

        run = find_run(self._installation, name) if name else latest_run(self._installation)
        return str(run.log), _lines(run.log)


def _lines(path: Path) -> Iterator[str]:
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from file


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
        from app.services import data_sets

        before, checked = self._checked or (None, None)
        if before != data:
            checked = self.check(data, None, None)
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
        from app.services import data_sets

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


class LocalUsers:
    """Accounts in this installation's database; changes are recorded as the operating system's user."""

    def create(self, name: str, password: str, role: "Role") -> "UserView":
        """Add an account."""
        from app.cli.caller import local_caller
        from app.cli.platform import local_platform
        from app.services.accounts import create_user

        return create_user(local_platform(), local_caller(), name, password, role)

    def list(self) -> "list[UserView]":
        """Accounts by name."""
        from app.cli.platform import local_platform
        from app.schemas.paging import MAX_LIMIT
        from app.services.accounts import list_users

        platform, cursor = local_platform(), None
        found: list[UserView] = []
        while True:
            page = list_users(platform, limit=MAX_LIMIT, cursor=cursor)
            found += page.items
            cursor = page.next
            if cursor is None:
                return found

    def update(self, name: str, changes: "UpdateUser") -> "UserView":
        """Change an account."""
        from app.cli.caller import local_caller
        from app.cli.platform import local_platform
        from app.services.accounts import update_user

        return update_user(local_platform(), local_caller(), name, changes)

    def reset_password(self, name: str, password: str, *, revoke_api_keys: bool) -> None:
        """Give an account another password."""
        from app.cli.caller import local_caller
        from app.cli.platform import local_platform
        from app.services import accounts

        accounts.reset_password(local_platform(), local_caller(), name, password, revoke_api_keys=revoke_api_keys)


class LocalAudit:
    """The audit log of this installation; it is read without the queue and the secrets of sign-ins."""

    @cached_property
    def log(self) -> "AuditLog":
        """The log itself."""
        from app.services.auditing import AuditLog
        from app.services.installation import open_installation
        from app.services.secrets import load_audit_key
        from app.settings import get_settings

        settings = get_settings()
        database = open_installation(settings).database
        return AuditLog(database, load_audit_key(settings), settings.results_dir)

    def list(self, wanted: "AuditFilter", limit: int) -> "list[AuditItem]":
        """Events, newest first."""
        from app.cli.caller import local_caller
        from app.services.audit_log import read_page

        return read_page(self.log, local_caller(), wanted, limit, None).items

    def verify(self, expected: tuple[int, str] | None, progress: "Progress") -> "AuditVerification":
        """Whether the log is whole, and still has the head that was noted earlier."""
        from app.schemas.audit import AuditVerification
        from app.services.audit_verification import verify

        def hear(done: int, total: int) -> None:
            progress("checking", done, total)

        found = verify(self.log, expected=expected, progress=hear)
        facts = {**vars(found), "faults": [vars(fault) for fault in found.faults]}
        return AuditVerification.model_validate({"ok": not found.faults, "first_bad_id": found.first_bad_id, **facts})

    def export(self, wanted: "AuditFilter", kind: Literal["jsonl", "csv"]) -> Iterator[str]:
        """Events with their hashes, oldest first."""
        from app.cli.caller import local_caller
        from app.services.audit_log import export

        return export(self.log, local_caller(), wanted, kind, is_forensic=True)

    def export_file(self, wanted: "AuditFilter", kind: Literal["jsonl", "csv"], path: Path) -> int:
        """Write them to a new file."""
        from app.cli.caller import local_caller
        from app.services.audit_log import write_file

        return write_file(self.log, local_caller(), wanted, kind, path)


class LocalBackend:
    """This machine's installation, by noun."""

    def __init__(self) -> None:
        self.experiments, self.data = LocalExperiments(), LocalData()
        self.users, self.audit = LocalUsers(), LocalAudit()

    def training(self, terminal: "Terminal") -> "Training":
        """Trainings by a child of this process."""
        from app.cli.training_local import LocalTraining

        return LocalTraining(terminal)

"""The installation on this machine: commands reach it through the services, in this process."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from app.cli.local_data import LocalData
from app.cli.predictions import LocalPredictions

if TYPE_CHECKING:
    from app.cli.backend import Progress
    from app.cli.training import Terminal, Training
    from app.domain.audit import AuditFilter
    from app.domain.principal import Role
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

        assign(self._installation, name, owner, self._audit)

    def deletion(self, name: str) -> tuple[str, int]:
        """The directory that would go, and its bytes."""
        from app.services.experiments import describe_deletion

        path, size = describe_deletion(self._installation, name)
        return str(path), size

    def delete(self, name: str) -> None:
        """Remove rows and directory."""
        from app.services.experiments import delete

        delete(self._installation, name, self._audit)

    @property
    def _audit(self) -> Callable[..., object]:
        """Records an event of the person at this terminal."""
        from app.services.terminal import local_caller

        log, caller = LocalAudit().log, local_caller()
        return lambda session, *event, **details: log.append(session, caller, *event, **details)

    def log(self, name: str | None) -> tuple[str, Iterator[str]]:
        """The file a run's log is in, and its lines."""
        from app.services.experiments import find_run, latest_run

        run = find_run(self._installation, name) if name else latest_run(self._installation)
        return str(run.log), _lines(run.log)


def _lines(path: Path) -> Iterator[str]:
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from file


class LocalUsers:
    """Accounts in this installation's database; changes are recorded as the operating system's user."""

    def create(self, name: str, password: str, role: "Role") -> "UserView":
        """Add an account."""
        from app.cli.platform import local_platform
        from app.services.accounts import create_user
        from app.services.terminal import local_caller

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
        from app.cli.platform import local_platform
        from app.services.accounts import update_user
        from app.services.terminal import local_caller

        return update_user(local_platform(), local_caller(), name, changes)

    def reset_password(self, name: str, password: str, *, revoke_api_keys: bool) -> None:
        """Give an account another password."""
        from app.cli.platform import local_platform
        from app.services import accounts
        from app.services.terminal import local_caller

        accounts.reset_password(local_platform(), local_caller(), name, password, revoke_api_keys=revoke_api_keys)


class LocalAudit:
    """The audit log of this installation; it is read without the queue and the secrets of sign-ins."""

    @cached_property
    def log(self) -> "AuditLog":
        """The log itself."""
        from app.cli.recorded import audit_log

        return audit_log()

    def list(self, wanted: "AuditFilter", limit: int) -> "list[AuditItem]":
        """Events, newest first."""
        from app.services.audit_log import read_page
        from app.services.terminal import local_caller

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
        from app.services.audit_log import export
        from app.services.terminal import local_caller

        return export(self.log, local_caller(), wanted, kind, is_forensic=True)

    def export_file(self, wanted: "AuditFilter", kind: Literal["jsonl", "csv"], path: Path) -> int:
        """Write them to a new file."""
        from app.services.audit_log import write_file
        from app.services.terminal import local_caller

        return write_file(self.log, local_caller(), wanted, kind, path)


class LocalBackend:
    """This machine's installation, by noun."""

    def __init__(self) -> None:
        self.experiments, self.data = LocalExperiments(), LocalData()
        self.users, self.audit = LocalUsers(), LocalAudit()
        self.predictions = LocalPredictions()

    def config_schema(self) -> dict[str, Any]:
        """The JSON Schema of a configuration."""
        from app.domain.train_config import TrainConfig

        return TrainConfig.model_json_schema()

    def training(self, terminal: "Terminal") -> "Training":
        """Trainings by a child of this process."""
        from app.cli.training_local import LocalTraining

        return LocalTraining(terminal)

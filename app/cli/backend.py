"""What commands need of an installation, on this machine or on a server; chosen in one place.

Both ways give the same values, of plain JSON types or of the models of `app.domain` and `app.schemas`, so that a
command prints the same whichever it works on.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from app.cli import server

if TYPE_CHECKING:
    from app.cli.predictions import Answer
    from app.cli.training import Terminal, Training
    from app.domain.audit import AuditFilter
    from app.domain.data_profile import DataProfile
    from app.domain.data_report import ValidationReport
    from app.domain.principal import Role
    from app.domain.train_config import DataConfig
    from app.schemas.audit import AuditItem, AuditVerification
    from app.schemas.users import UpdateUser, UserView
    from app.services.export import Format

Progress = Callable[[str, int, int], None]
"""Hears of a stage, the number done and the total."""


class Experiments(Protocol):
    """Runs, by name."""

    def list(self, where: str | None, sort: str | None, limit: int | None) -> "list[dict[str, Any]]":
        """Summaries, newest first unless `sort` says otherwise."""

    def show(self, name: str) -> dict[str, Any]:
        """Everything that is known of one run; `dir` is None where it is on another machine."""

    def compare(self, names: Sequence[str]) -> dict[str, Any]:
        """Where runs differ."""

    def export_text(self, name: str, kind: "Format") -> str:
        """The record with all metric points, or the points alone."""

    def export_archive(self, name: str, path: Path, kind: "Format") -> None:
        """The files of a run in a new file."""

    def assign(self, name: str, owner: str | None) -> None:
        """Make somebody the owner of a run; None takes it from everybody."""

    def deletion(self, name: str) -> tuple[str, int]:
        """First step of deleting: what would go, and its bytes."""

    def delete(self, name: str) -> None:
        """Second step: delete it."""

    def log(self, name: str | None) -> tuple[str, Iterator[str]]:
        """Where a run's log is (without a name the newest run's), and its lines."""


class DataSets(Protocol):
    """Labelled files and stored versions of them."""

    def validate(
        self, data: "DataConfig", base_model: str | None, max_length: int | None
    ) -> "dict[str, ValidationReport]":
        """What is wrong with files, by split; without a base model it is not asked whether one can read the texts."""

    def add(self, name: str, data: "DataConfig", *, seed: int, progress: Progress) -> tuple[str, bool]:
        """Store files as the next version of a name: the version's reference, and whether it is new."""

    def list(self) -> "list[dict[str, Any]]":
        """Every named version, by name, oldest first."""

    def show(self, reference: str) -> dict[str, Any]:
        """One version in full."""

    def profile(
        self, data: "DataConfig", *, base_model: str | None, with_map: bool, progress: Progress
    ) -> "DataProfile":
        """What a file or a stored version looks like."""

    def diff(self, old: str, new: str, *, whole: bool) -> dict[str, Any]:
        """What changed from one version to another: how much (`num_added` ...), and the rows; some unless `whole`."""

    def export(self, reference: str, path: Path, split: str | None) -> int:
        """Write a version to a new file; the number of rows."""

    def remove(self, reference: str) -> str:
        """Forget one version; which that was."""


class Users(Protocol):
    """Accounts."""

    def create(self, name: str, password: str, role: "Role") -> "UserView":
        """Add an account."""

    def list(self) -> "list[UserView]":
        """Accounts by name."""

    def update(self, name: str, changes: "UpdateUser") -> "UserView":
        """Change an account."""

    def reset_password(self, name: str, password: str, *, revoke_api_keys: bool) -> None:
        """Give an account another password."""


class Audit(Protocol):
    """Who did what."""

    def list(self, wanted: "AuditFilter", limit: int) -> "list[AuditItem]":
        """Events, newest first."""

    def verify(self, expected: tuple[int, str] | None, progress: Progress) -> "AuditVerification":
        """Whether the log is whole."""

    def export(self, wanted: "AuditFilter", kind: Literal["jsonl", "csv"]) -> Iterator[str]:
        """Events with their hashes, oldest first, in texts of many lines."""

    def export_file(self, wanted: "AuditFilter", kind: Literal["jsonl", "csv"], path: Path) -> int:
        """Write them to a new file; how many events it has."""


class Predictions(Protocol):
    """Finished runs, put to use."""

    def classify(
        self, run: str | None, texts: Sequence[str], file: Path | None, text_column: str, *, all_scores: bool
    ) -> "Sequence[Answer]":
        """Answers in the order of the texts; `file` is where they were read from, `all_scores` asks for all labels."""


class Backend(Protocol):
    """An installation, by noun."""

    @property
    def experiments(self) -> Experiments:
        """Runs."""

    @property
    def data(self) -> DataSets:
        """Labelled data."""

    @property
    def users(self) -> Users:
        """Accounts."""

    @property
    def audit(self) -> Audit:
        """The audit log."""

    @property
    def predictions(self) -> Predictions:
        """Finished runs, put to use."""

    def config_schema(self) -> dict[str, Any]:
        """The JSON Schema of a configuration."""

    def training(self, terminal: "Terminal") -> "Training":
        """Trainings, shown at a terminal."""


def backend() -> Backend:
    """The installation this command works on."""
    address = server.chosen()
    if address is None:
        from app.cli.local import LocalBackend

        return LocalBackend()
    from app.cli.remote import RemoteBackend

    return RemoteBackend(address)

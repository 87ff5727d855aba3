"""An installation on another machine: commands reach it through the client, as who `finetune login` made them."""

import codecs
import io
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from app.cli import server
from app.cli.predictions import RemotePredictions
from app.cli.remote_data import RemoteData
from app.client import Client
from app.client.address import normalise
from app.client.credentials import CredentialFile
from app.domain.errors import InvalidInput, NotFound
from app.settings import get_settings

if TYPE_CHECKING:
    from app.cli.backend import Progress
    from app.cli.training import Terminal, Training
    from app.domain.audit import AuditFilter
    from app.domain.principal import Role
    from app.schemas.audit import AuditItem, AuditVerification
    from app.schemas.users import UpdateUser, UserView
    from app.services.export import Format

CHECKPOINTS = "artifacts/checkpoints/"
_OF_WHO_ASKS = {"may_change", "may_read_task", "may_read_data"}
"""Nothing that is known of a run: an installation on this machine does not say it."""


def client_of(address: str) -> Client:
    """A client for a server somebody is signed in to; Unauthenticated where nobody is."""
    client = Client.of_file(normalise(address, insecure_http=True), CredentialFile(get_settings().config_dir))
    server.close_at_end(client.close)
    return client


class RemoteExperiments:
    """Runs on a server; an administrator sees everybody's."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @cached_property
    def _everyone(self) -> bool:
        return self._client.me.show().role == "admin"

    def list(self, where: str | None, sort: str | None, limit: int | None) -> "list[dict[str, Any]]":
        """Summaries."""
        found = self._client.experiments.all(everyone=self._everyone, where=where, sort=sort, at_most=limit)
        return [one.model_dump(mode="json") for one in found]

    def show(self, name: str) -> dict[str, Any]:
        """Everything that is known of one run."""
        found = self._client.experiments.show(name).model_dump(mode="json", exclude=_OF_WHO_ASKS)
        return {**found, "dir": None}

    def compare(self, names: Sequence[str]) -> dict[str, Any]:
        """Where runs differ."""
        return self._client.experiments.compare(names).model_dump(mode="json")

    def export_text(self, name: str, kind: "Format") -> str:
        """The record with all metric points, or the points alone."""
        from app.services.export import as_text

        record = self.show(name)
        points = self._client.tasks.points(record["task_id"]) if record["task_id"] else []
        return as_text(record, [point.model_dump(mode="json", exclude={"id"}) for point in points], kind)

    def export_archive(self, name: str, path: Path, kind: "Format") -> None:
        """What the receipt names, without checkpoints."""
        from tempfile import TemporaryDirectory

        from app.cli import output
        from app.runs.directory import RunDirectory
        from app.services.export import write_archive

        files = [one for one in self._client.artifacts.list(name).items if not one.path.startswith(CHECKPOINTS)]
        total = sum(one.size_bytes for one in files)
        with TemporaryDirectory() as scratch, output.progress_stages(show=True) as hear:
            folder, done = Path(scratch) / name, 0
            for one in files:
                target = folder / one.path
                if not target.is_relative_to(folder) or ".." in target.parts:
                    raise InvalidInput(
                        f"{name} names a file outside of it: {one.path}", hint="do not trust this server"
                    )
                self._client.artifacts.download(name, one, target)
                done += one.size_bytes
                hear("fetching", done, total)
            write_archive(RunDirectory(folder), path, kind)

    def assign(self, name: str, owner: str | None) -> None:
        """Make somebody the owner."""
        self._client.experiments.assign(name, owner)

    def deletion(self, name: str) -> tuple[str, int]:
        """The run that would go, and its bytes."""
        found = self._client.experiments.deletion(name)
        shared = f", shared with {', '.join(found.shared_with)}," if found.shared_with else ""
        return f"run {name} on {self._client.server}{shared}", found.size_bytes

    def delete(self, name: str) -> None:
        """Remove it."""
        self._client.experiments.delete(name, confirm=name)

    def log(self, name: str | None) -> tuple[str, Iterator[str]]:
        """The address a run's log is at, and its lines."""
        if name is None:
            newest = self.list(None, None, 1)
            if not newest:
                raise NotFound("there are no runs yet", hint="make one with `finetune train`")
            name = newest[0]["name"]
        task_id = self.show(name)["task_id"]
        lines = _lines(self._client.tasks.log(task_id)) if task_id else iter(())
        return f"{self._client.server}/task/{task_id}/logs", lines


def _lines(pieces: Iterator[str]) -> Iterator[str]:
    """Pieces of a text as lines that end in a line feed, whichever way they ended."""
    decoder = io.IncrementalNewlineDecoder(None, translate=True)
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + decoder.decode(piece)).split("\n")
        yield from (f"{line}\n" for line in lines)
    rest += decoder.decode("", final=True)
    if rest:
        yield rest


class RemoteUsers:
    """Accounts of a server, for its administrators."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(self, name: str, password: str, role: "Role") -> "UserView":
        """Add an account."""
        return self._client.users.create(name, password, role)

    def list(self) -> "list[UserView]":
        """Accounts by name."""
        return list(self._client.users.all())

    def update(self, name: str, changes: "UpdateUser") -> "UserView":
        """Change an account."""
        return self._client.users.update(name, changes)

    def reset_password(self, name: str, password: str, *, revoke_api_keys: bool) -> None:
        """Give an account another password."""
        self._client.users.reset_password(name, password, revoke_api_keys=revoke_api_keys)


class RemoteAudit:
    """The audit log of a server, for its administrators."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self, wanted: "AuditFilter", limit: int) -> "list[AuditItem]":
        """Events, newest first; one look, so that it is recorded once."""
        return self._client.audit.page(wanted, limit=limit).items

    def verify(self, expected: tuple[int, str] | None, progress: "Progress") -> "AuditVerification":
        """Whether the log is whole; a head noted earlier is looked for in a copy of it."""
        found = self._client.audit.verify()
        if expected is None or not found.ok:
            return found
        event_id, noted = expected
        if self._hash_of(event_id) == noted:
            return found
        fault = {"id": event_id, "what": f"event {event_id} is not the one that was noted outside"}
        return found.model_copy(
            update={"ok": False, "first_bad_id": event_id, "faults": [*found.faults, _fault(fault)]}
        )

    def _hash_of(self, event_id: int) -> str | None:
        with self._client.audit.export() as pieces:
            for line in _lines(codecs.iterdecode(pieces, "utf-8")):
                event = json.loads(line)
                if event["id"] == event_id:
                    return str(event["hash"])
        return None

    def export(self, wanted: "AuditFilter", kind: Literal["jsonl", "csv"]) -> Iterator[str]:
        """Events with their hashes, oldest first."""
        with self._client.audit.export(wanted, kind) as pieces:
            yield from codecs.iterdecode(pieces, "utf-8")

    def export_file(self, wanted: "AuditFilter", kind: Literal["jsonl", "csv"], path: Path) -> int:
        """Write them to a new file."""
        from app.services.audit_log import write_text

        return write_text(self.export(wanted, kind), kind, path)


def _fault(values: dict[str, Any]) -> Any:
    from app.schemas.audit import AuditFaultView

    return AuditFaultView.model_validate(values)


class RemoteBackend:
    """A server's installation, by noun."""

    def __init__(self, address: str) -> None:
        self._client = client = client_of(address)
        self.experiments, self.data = RemoteExperiments(client), RemoteData(client)
        self.users, self.audit = RemoteUsers(client), RemoteAudit(client)
        self.predictions = RemotePredictions(client)

    def config_schema(self) -> dict[str, Any]:
        """What the server takes."""
        return self._client.config.schema()

    def training(self, terminal: "Terminal") -> "Training":
        """Trainings by the workers of the server."""
        from app.cli.training_remote import RemoteTraining

        return RemoteTraining(self._client, terminal)

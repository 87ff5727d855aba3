"""Labelled data on a server: files of this machine are sent there, versions are read and copied from there."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import BaseModel

from app.cli import output
from app.client import Client, faults
from app.client.datasets import Files
from app.client.endpoint import body_of
from app.domain.data_version import DATA_NAME_PATTERN
from app.domain.errors import Conflict, InvalidInput, NotFound
from app.domain.task import TaskState
from app.schemas.datasets import AddForm, DatasetCreated, ValidatedFile, ValidateForm, VersionItem, VersionView
from app.schemas.tasks import Accepted, TaskView

if TYPE_CHECKING:
    from app.cli.backend import Progress
    from app.data.chunks import Example
    from app.domain.data_profile import DataProfile
    from app.domain.data_report import ValidationReport
    from app.domain.train_config import DataConfig

Made = TypeVar("Made", bound=BaseModel)
MAX_DIFF_ROWS = 100
"""As many as the API gives; where there are more, both versions are fetched and compared here."""


class Reference(NamedTuple):
    """One version: the name of a data set and a number."""

    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.name}@{self.number}"


class RemoteData:
    """Data sets on a server, and files of this machine that it checks."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def validate(
        self, data: "DataConfig", base_model: str | None, max_length: int | None
    ) -> "dict[str, ValidationReport]":
        """What is wrong with files, by split; the server reads them and keeps nothing."""
        form = body_of(ValidateForm, **_options(data), base_model=base_model, max_length=max_length)
        with output.progress_stages(show=True) as hear:
            answer = self._client.datasets.validate(form, files_of(data), progress=_sending(hear))
            found = self.finished(answer, ValidatedFile)
        reports = {"train": found, "eval": found.eval, "test": found.test}
        given = {"train": data.train, "eval": data.eval, "test": data.test}
        return {
            split: report.model_copy(update={"file": given[split]})
            for split, report in reports.items()
            if report is not None
        }

    def add(self, name: str, data: "DataConfig", *, seed: int, progress: "Progress") -> tuple[str, bool]:
        """Send files, to become the next version of a name."""
        made = self.store(name, data, seed=seed, progress=progress)
        return made.reference, made.is_new

    def store(self, name: str, data: "DataConfig", *, seed: int, progress: "Progress") -> DatasetCreated:
        """As `add`, with all the server says of it."""
        form = body_of(AddForm, name=name, seed=seed, eval_fraction=data.eval_fraction, **_options(data))
        answer = self._client.datasets.add(form, files_of(data), progress=_sending(progress))
        return self.finished(answer, DatasetCreated)

    def finished(self, answer: Made | Accepted, kind: type[Made]) -> Made:
        """The answer, or what the task gives that the server made of the request; raises what it failed with."""
        if not isinstance(answer, Accepted):
            return answer
        return kind.model_validate(ended_well(self._client.tasks.wait(answer.task_id)))

    def list(self) -> "list[dict[str, Any]]":
        """Every named version."""
        names = [one.name for one in self._client.datasets.all()]
        return [_summary(one) for name in names for one in self._client.datasets.show(name).versions]

    def show(self, reference: str) -> dict[str, Any]:
        """One version in full."""
        name, number = self.resolve(reference)
        version, found = self._client.datasets.version(name, number), self._client.datasets.findings(name, number)
        profile = self._client.datasets.profile(name, number)
        return {
            **_summary(version),
            "columns": version.columns,
            "chunks": [chunk.model_dump() for chunk in version.chunks],
            "sources": {split: source.model_dump() for split, source in version.sources.items()},
            "reports": {split: report.model_dump(mode="json") for split, report in found.reports.items()},
            "split_seed": version.split_seed,
            "eval_fraction": version.eval_fraction,
            "profile": profile.model_dump(mode="json"),
        }

    def profile(
        self, data: "DataConfig", *, base_model: str | None, with_map: bool, progress: "Progress"
    ) -> "DataProfile":
        """What a stored version looks like, as its profile was made when it was stored."""
        assert data.train is not None
        if Path(data.train).exists() or "@" not in data.train:
            raise InvalidInput(
                f"a server profiles stored versions, and {data.train} is none",
                hint=f"leave --server out, or store it first: finetune data add {data.train} --name NAME",
            )
        if base_model is not None or with_map:
            raise InvalidInput(
                "--base-model, --map and a page with a map are made on this machine alone",
                hint="fetch the version first (finetune data export), or add --no-map",
            )
        return self._client.datasets.profile(*self.resolve(data.train))

    def diff(self, old: str, new: str, *, whole: bool) -> dict[str, Any]:
        """What changed from one version to another."""
        before, after = self.resolve(old), self.resolve(new)
        if before.name == after.name:
            found = self._client.datasets.diff(before.name, before.number, after.number, limit=MAX_DIFF_ROWS)
            kinds = ("added", "removed", "relabelled")
            if not whole or all(len(getattr(found, kind)) == getattr(found, f"num_{kind}") for kind in kinds):
                shown = found.model_dump(mode="json")
                counts = {f"num_{kind}": shown.pop(f"num_{kind}") for kind in kinds}
                rows = {key: shown[key] for key in ("old", "new", *kinds)}
                return {**counts, **rows, "num_unchanged": found.num_unchanged, "num_moved": found.num_moved}
        from app.cli.local_data import counted
        from app.data.diff import diff

        return counted(diff(self._rows(before), self._rows(after), str(before), str(after)))

    def _rows(self, reference: Reference) -> "Sequence[Example]":
        from app.data.chunks import Example

        with TemporaryDirectory() as scratch:
            path = Path(scratch) / "rows.jsonl"
            self._client.datasets.export(*reference, path, format_="jsonl")
            with path.open(encoding="utf-8") as file:
                rows = [json.loads(line) for line in file]
        return [Example(split=row["split"], text=row["text"], label=row["label"]) for row in rows]

    def export(self, reference: str, path: Path, split: str | None) -> int:
        """Fetch a version, or one split of it, into a new file."""
        from app.data.exporting import check_target

        check_target(path, "--out")
        found = self.resolve(reference)
        version = self._client.datasets.version(*found)
        if split is not None and split not in version.splits:
            raise InvalidInput(f"{found} has no split {split!r}", hint=f"it has {', '.join(version.splits)}")
        kind = path.suffix.lower().removeprefix(".")
        with output.progress_stages(show=True) as hear:
            self._client.datasets.export(
                *found,
                path,
                format_=kind,  # type: ignore[arg-type]
                split=split,  # type: ignore[arg-type]
                progress=lambda done, total: hear("fetching", done, total or done),
            )
        return version.rows if split is None else version.splits[split]

    def remove(self, reference: str) -> str:
        """Forget one version."""
        if "@" not in reference:
            raise InvalidInput(f"{reference!r} does not say which version", hint="write NAME@NUMBER, as in reviews@2")
        found = self.resolve(reference)
        self._client.datasets.delete_version(*found)
        return str(found)

    def resolve(self, reference: str) -> Reference:
        """The version NAME@NUMBER, or the newest of NAME; NotFound where the name has none."""
        match = re.fullmatch(rf"({DATA_NAME_PATTERN})(?:@([0-9]{{1,9}}))?", reference)
        if match is None:
            raise InvalidInput(f"{reference!r} is no data set version", hint="write NAME@NUMBER, as in reviews@2")
        if match[2] is not None:
            return Reference(match[1], int(match[2]))
        versions = self._client.datasets.show(match[1]).versions
        if not versions:
            raise NotFound(f"{match[1]} has no version", hint=f"finetune data add FILE --name {match[1]}")
        return Reference(match[1], versions[-1].version)


def ended_well(task: TaskView) -> dict[str, Any]:
    """What a task gave that is no training; raises what it failed with, or Conflict where it was stopped."""
    if task.error is not None:
        raise faults.error_of_task(task.error)
    if task.status != TaskState.SUCCESS or not isinstance(task.result, dict):
        raise Conflict(f"task {task.task_id} was stopped: {task.status}", hint="send the file again")
    return task.result


def files_of(data: "DataConfig") -> Files:
    """The files of this machine a configuration names; InvalidInput where it names something else."""
    paths: dict[str, Path | None] = {}
    for split, source in (("train", data.train), ("eval", data.eval), ("test", data.test)):
        if source is not None and not Path(source).exists():
            raise InvalidInput(f"there is no file {source} on this machine to send", hint="name a file, not hub:ID")
        paths[split] = None if source is None else Path(source)
    return body_of(Files, **paths)


def _options(data: "DataConfig") -> dict[str, Any]:
    return {
        "text_column": data.text_column,
        "label_column": data.label_column,
        **data.reading.asked,
        "allow": data.allow,
        "block": data.block,
    }


def _sending(progress: "Progress") -> Any:
    return lambda done, total: progress("sending", done, total)


def _summary(version: VersionItem | VersionView) -> dict[str, Any]:
    return {
        "name": version.name,
        "number": version.version,
        "version": version.content,
        "parent": version.parent,
        "created_at": version.created_at.isoformat(),
        "rows": version.rows,
        "labels": version.labels,
        "splits": version.splits,
    }

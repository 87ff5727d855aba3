"""Data sets: files in, checked and stored as versions; what is in them, what changed, a copy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel

from app.client.endpoint import Call, Endpoint, Noun, endpoint
from app.client.pages import all_items
from app.client.transfers import UPLOAD_TIMEOUT, Progress, download, form_with_files, silent
from app.domain.data_profile import DataProfile
from app.schemas.datasets import (
    AddForm,
    DatasetCreated,
    DatasetItem,
    DatasetRowView,
    DatasetView,
    DiffView,
    ValidatedFile,
    ValidateForm,
    VersionFindings,
    VersionView,
)
from app.schemas.paging import DEFAULT_LIMIT, Page
from app.schemas.tasks import Accepted

Split = Literal["train", "eval", "test"]
ExportFormat = Literal["csv", "tsv", "jsonl", "parquet"]
Made = TypeVar("Made", DatasetCreated, ValidatedFile)


class Files(BaseModel):
    """What is sent: labelled rows, and evaluation and test rows where they are files of their own."""

    train: Path
    eval: Path | None = None
    test: Path | None = None

    def by_field(self) -> dict[str, Path]:
        """Paths by the form's field."""
        fields = {"file": self.train, "eval_file": self.eval, "test_file": self.test}
        return {name: path for name, path in fields.items() if path is not None}


class DataSets(Noun):
    """`/datasets`. Large files are checked by a worker: then the answer is a task, whose result is the other one."""

    @endpoint("POST", "/datasets")
    def add(
        self,
        at: Endpoint,
        form: AddForm,
        files: Files,
        *,
        progress: Progress = silent,
        later: bool = False,
        key: str | None = None,
    ) -> DatasetCreated | Accepted:
        """Make files the next version of a name; DataBlocked where a finding blocks training.

        `later` leaves it to a worker whatever the size; `key` is as in `Training.submit`.
        """
        return _send(at().once(key), form, files, progress, DatasetCreated, later=later)

    @endpoint("POST", "/datasets/validate")
    def validate(
        self,
        at: Endpoint,
        form: ValidateForm,
        files: Files,
        *,
        progress: Progress = silent,
        later: bool = False,
        key: str | None = None,
    ) -> ValidatedFile | Accepted:
        """Say how files are read and what is wrong with them; nothing is stored."""
        return _send(at().once(key), form, files, progress, ValidatedFile, later=later)

    @endpoint("GET", "/datasets")
    def page(self, at: Endpoint, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> Page[DatasetItem]:
        """One's own data sets and those shared with one, by name, one page; for administrators all."""
        return at().query(limit=limit, cursor=cursor).as_(Page[DatasetItem])

    def all(self) -> Iterator[DatasetItem]:
        """As `page`, all of them."""
        return all_items(lambda cursor, limit: self.page(limit=limit, cursor=cursor))

    @endpoint("GET", "/datasets/{name}")
    def show(self, at: Endpoint, name: str) -> DatasetView:
        """One data set with its versions, oldest first."""
        return at(name=name).as_(DatasetView)

    @endpoint("DELETE", "/datasets/{name}")
    def delete(self, at: Endpoint, name: str) -> None:
        """Forget a name with all its versions; runs keep their data."""
        return at(name=name).as_(type(None))

    @endpoint("GET", "/datasets/{name}/diff")
    def diff(self, at: Endpoint, name: str, old: int, new: int, *, limit: int = 20) -> DiffView:
        """What changed between two versions, with at most `limit` rows of each kind."""
        return at(name=name).query(old=old, new=new, limit=limit).with_(timeout=UPLOAD_TIMEOUT).as_(DiffView)

    @endpoint("GET", "/datasets/{name}/{number}")
    def version(self, at: Endpoint, name: str, number: int) -> VersionView:
        """One version in full."""
        return at(name=name, number=number).as_(VersionView)

    @endpoint("DELETE", "/datasets/{name}/{number}")
    def delete_version(self, at: Endpoint, name: str, number: int) -> None:
        """Forget one version; its number is not given again."""
        return at(name=name, number=number).as_(type(None))

    @endpoint("GET", "/datasets/{name}/{number}/findings")
    def findings(self, at: Endpoint, name: str, number: int) -> VersionFindings:
        """What was found in the files of a version, and how they were read."""
        return at(name=name, number=number).as_(VersionFindings)

    @endpoint("GET", "/datasets/{name}/{number}/profile")
    def profile(self, at: Endpoint, name: str, number: int, *, with_map: bool = False) -> DataProfile:
        """What a version looks like; a map of its texts takes some seconds more."""
        call = at(name=name, number=number).query(map=with_map or None)
        return call.with_(timeout=UPLOAD_TIMEOUT).as_(DataProfile)

    @endpoint("GET", "/datasets/{name}/{number}/rows")
    def rows_page(
        self,
        at: Endpoint,
        name: str,
        number: int,
        *,
        split: Split | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[DatasetRowView]:
        """Rows of a version in order, one page; long texts are cut. Each look is recorded as a download."""
        call = at(name=name, number=number).query(split=split, limit=limit, cursor=cursor)
        return call.with_(timeout=UPLOAD_TIMEOUT).as_(Page[DatasetRowView])

    @endpoint("GET", "/datasets/{name}/{number}/export")
    def _exported(self, at: Endpoint, name: str, number: int, format_: ExportFormat, split: Split | None) -> Call:
        return at(name=name, number=number).query(format=format_, split=split).with_(timeout=UPLOAD_TIMEOUT)

    def export(
        self,
        name: str,
        number: int,
        target: Path,
        *,
        format_: ExportFormat = "csv",
        split: Split | None = None,
        progress: Progress = silent,
    ) -> Path:
        """Fetch a copy of a version, or of one split of it, into a new file."""
        return download(self._exported(name, number, format_, split), target, progress=progress)


def _send(
    call: Call, form: BaseModel, files: Files, progress: Progress, kind: type[Made], *, later: bool
) -> Made | Accepted:
    headers = {"Prefer": "respond-async"} if later else {}
    fields = form.model_dump(mode="json", exclude_none=True)
    with form_with_files(fields, files.by_field(), progress) as body:
        sent = call.with_(headers=headers, timeout=UPLOAD_TIMEOUT, body=body)
        return sent.as_either(kind, Accepted)

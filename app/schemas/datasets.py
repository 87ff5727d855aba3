"""Bodies about data sets: what was sent and found, versions, rows, differences."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.domain.data_reading import Reading
from app.domain.data_report import Detected, Finding, ValidationReport
from app.domain.data_version import DATA_NAME_PATTERN, Chunk, LabelledText, Relabelled, Source
from app.domain.train_config import AUTO
from app.schemas.data_fixes import MAX_CODES, Code, Fixed, FixOptions, Remedy

Column = Annotated[str, StringConstraints(min_length=1, max_length=500)]

_DETECTED: dict[str, Any] = {
    "format": "tsv",
    "encoding": "utf-8",
    "delimiter": "\t",
    "header": False,
    "columns": ["1", "2"],
    "text_column": "1",
    "label_column": "2",
    "reasons": {"format": "its lines have 2 columns, separated by a tab"},
    "other_lines": [],
    "preview": [{"row": 1, "text": "a lovely place", "label": "positive"}],
}
_FINDING: dict[str, Any] = {
    "code": "duplicate",
    "severity": "warning",
    "message": "2 rows repeat an earlier text with the same label",
    "fix": "remove the repetitions",
    "count": 2,
    "rows": [17, 40],
    "examples": ["a lovely place"],
}
_VERSION: dict[str, Any] = {
    "name": "reviews",
    "version": 2,
    "reference": "reviews@2",
    "content": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "parent": "4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce",
    "created_at": "2026-01-31T12:30:00Z",
    "rows": 6920,
    "labels": {"negative": 3310, "positive": 3610},
    "splits": {"train": 6228, "eval": 692},
}
_ITEM: dict[str, Any] = {
    "name": "reviews",
    "owner": "ada",
    "created_at": "2026-01-31T12:30:00Z",
    "stored_bytes": 412345,
    "num_versions": 2,
    "latest": _VERSION,
}


class CheckOptions(FixOptions, Reading):
    """How a file is read, mended and judged; fields of the form beside the files.

    What is said of the kind of file, its encoding, separator, quotes and header is for every file of the form.
    """

    model_config = ConfigDict(extra="forbid")

    text_column: Column = Field(AUTO, description="column name; its number where there is no header")
    label_column: Column = Field(AUTO, description="as text_column")
    allow: list[Code] = Field([], max_length=MAX_CODES, description="codes of findings that shall not block; repeated")
    block: list[Code] = Field([], max_length=MAX_CODES, description="codes of findings that shall block; repeated")


class ValidateForm(CheckOptions):
    """What `POST /datasets/validate` takes beside the files."""

    base_model: Column | None = Field(
        None, description="a base model's short name, or auto for the one trainings take: can it read the texts?"
    )
    max_length: int | None = Field(None, ge=8, le=8192, description="tokens of a text that will be read")


class AddForm(CheckOptions):
    """What `POST /datasets` takes beside the files."""

    name: str = Field(
        pattern=f"^{DATA_NAME_PATTERN}$",
        max_length=100,
        description="what the data set is called",
        examples=["reviews"],
    )
    eval_fraction: float = Field(0.1, gt=0, le=0.5, description="share held out where there is no eval_file")
    seed: int = Field(42, ge=0, lt=2**32, description="draws the rows that are held out")


class DatasetFinding(Finding):
    """A finding and the split whose file it is about."""

    split: str


class VersionItem(BaseModel):
    """One version: `reference` is what a configuration's `data.train` names, `content` the sha256 of what is in it.

    `labels` and `splits` map names to numbers of rows; `parent` is the content of the version it followed.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_VERSION]})

    name: str
    version: int
    reference: str
    content: str
    parent: str | None
    created_at: datetime
    rows: int
    labels: dict[str, int]
    splits: dict[str, int]


class DatasetCreated(VersionItem):
    """The version the file became, or was already (then `is_new` is false); nothing in it blocks training."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                _VERSION | {"is_new": True, "findings": [_FINDING | {"split": "train"}], "detected": _DETECTED}
            ]
        }
    )

    is_new: bool
    findings: list[DatasetFinding]
    detected: Detected | None = Field(
        description="how the training file was read; its preview has personal data masked"
    )


class ValidatedFile(ValidationReport):
    """What `finetune data validate --json` says: of the training file, and of the others where they were sent.

    Where it was to be mended, it is about the rows as they are then, and `fixed` says what was changed. `remedies` says
    what the form can ask for about each finding of the training file.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "file": "reviews.tsv",
                    "sha256": _VERSION["content"],
                    "rows": 6920,
                    "detected": _DETECTED,
                    "labels": _VERSION["labels"],
                    "findings": [_FINDING],
                    "ok": True,
                    "eval": None,
                    "test": None,
                    "fixed": None,
                    "remedies": {"duplicate": ["fix"]},
                }
            ]
        }
    )

    eval: ValidationReport | None = None
    test: ValidationReport | None = None
    fixed: Fixed | None = None
    remedies: dict[str, list[Remedy]] = Field(default_factory=dict)


class DatasetItem(BaseModel):
    """One data set as lists show it; `latest` is None while its first version is being made.

    `owner` is None where the data set was made on the server's command line. `stored_bytes` counts towards the owner's
    limit.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_ITEM]})

    name: str
    owner: str | None
    created_at: datetime | None
    stored_bytes: int
    num_versions: int
    latest: VersionItem | None


class DatasetView(DatasetItem):
    """One data set with all its versions, oldest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [_ITEM | {"num_versions": 1, "versions": [_VERSION], "may_change": True}]}
    )

    versions: list[VersionItem]
    may_change: bool = Field(False, description="whether whoever asks may add versions to it, share and delete it")


class VersionView(VersionItem):
    """One version in full: the files it came from by split, and how evaluation rows were held out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                _VERSION
                | {
                    "columns": ["split", "text", "label"],
                    "num_chunks": 2,
                    "sources": {"train": {"file": "reviews.tsv", "sha256": _VERSION["content"], "format": "tsv"}},
                    "split_seed": 42,
                    "eval_fraction": 0.1,
                }
            ]
        }
    )

    columns: list[str]
    num_chunks: int
    chunks: list[Chunk] = Field(default_factory=list, description="the pieces its content is stored in")
    sources: dict[str, Source]
    split_seed: int | None = Field(description="null where the evaluation rows were given, not held out")
    eval_fraction: float | None


class VersionFindings(BaseModel):
    """What was found in the files a version came from."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reference": "reviews@2", "findings": [_FINDING | {"split": "train"}]}]}
    )

    reference: str
    findings: list[DatasetFinding]
    detected: dict[str, Detected] = Field(default_factory=dict, description="how each split's file was read")
    reports: dict[str, ValidationReport] = Field(
        default_factory=dict, description="what `finetune data validate --json` says of each split's file"
    )


class DatasetRowView(BaseModel):
    """One row, numbered from 1 through the version; a long text is cut, and `is_cut` says so."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"row": 1, "split": "train", "text": "a lovely place", "label": "positive", "is_cut": False}]
        }
    )

    row: int
    split: str
    text: str
    label: str
    is_cut: bool = False


class DiffView(BaseModel):
    """What turns one version into another: all counts, and the first rows of each kind (`limit`)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "old": "reviews@1",
                    "new": "reviews@2",
                    "num_added": 1,
                    "num_removed": 0,
                    "num_relabelled": 1,
                    "num_unchanged": 6918,
                    "num_moved": 0,
                    "added": [{"text": "a lovely place", "label": "positive"}],
                    "removed": [],
                    "relabelled": [{"text": "so so", "old_label": "positive", "new_label": "negative"}],
                }
            ]
        }
    )

    old: str
    new: str
    num_added: int
    num_removed: int
    num_relabelled: int
    num_unchanged: int
    num_moved: int
    added: list[LabelledText]
    removed: list[LabelledText]
    relabelled: list[Relabelled]

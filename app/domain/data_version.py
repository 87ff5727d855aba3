"""Records of stored data: a version, known by what is in it, and the name and number a person gave it."""

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.domain.data_report import ValidationReport

DATA_NAME_PATTERN = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?"


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


class Chunk(BaseModel):
    """Consecutive rows of a version: `sha256` is that of their canonical form, and the name of their file."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    rows: int


class Source(BaseModel):
    """The file some rows came from; `changed` counts what was changed on the way (`drop duplicate`)."""

    model_config = ConfigDict(frozen=True)

    file: str
    sha256: str
    format: str
    changed: dict[str, int] = Field(default_factory=dict)


class Origin(BaseModel):
    """How the rows of a version came about.

    `sources` and `reports` are by split as given (train, eval, test). `split_seed` and `eval_fraction` are None where
    the evaluation rows were given, not held out. `profile` is empty where none was made.
    """

    model_config = ConfigDict(frozen=True)

    sources: dict[str, Source] = Field(default_factory=dict)
    reports: dict[str, ValidationReport] = Field(default_factory=dict)
    split_seed: int | None = None
    eval_fraction: float | None = None
    profile: dict[str, Any] = Field(default_factory=dict)


class VersionManifest(BaseModel):
    """One immutable version: `version` is the hex sha256 over split, text and label of every row, in order.

    `labels` (in id order) and `splits` map names to numbers of rows.
    """

    model_config = ConfigDict(frozen=True)

    version: str
    created_at: datetime
    columns: list[str]
    rows: int
    labels: dict[str, int]
    splits: dict[str, int]
    chunks: list[Chunk]
    origin: Origin


class DamagedManifest(VersionManifest):
    """In place of a manifest that cannot be read, in lists; `damage` says what is wrong with it."""

    damage: str


class NamedVersion(BaseModel):
    """`NAME@NUMBER`: numbers count from 1 and are never given twice; `parent` is the version it followed.

    A version that nobody gave a name goes by the first digits of its content's hash, and number 0.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    number: int
    version: str
    parent: str | None
    created_at: datetime

    def __str__(self) -> str:
        return f"{self.name}@{self.number}" if self.number else self.name


class Relabelled(BaseModel):
    """A text whose label is not what it was."""

    model_config = ConfigDict(frozen=True)

    text: str
    old_label: str
    new_label: str


class LabelledText(BaseModel):
    """A row without its split."""

    model_config = ConfigDict(frozen=True)

    text: str
    label: str


class VersionDiff(BaseModel):
    """What turns one version into another, row by row; `num_moved` rows are the same but in another split."""

    model_config = ConfigDict(frozen=True)

    old: str
    new: str
    added: list[LabelledText]
    removed: list[LabelledText]
    relabelled: list[Relabelled]
    num_unchanged: int
    num_moved: int


class Garbage(BaseModel):
    """What nothing refers to: versions, chunks and left-over temporary files, and the bytes they take."""

    model_config = ConfigDict(frozen=True)

    versions: list[str]
    num_chunks: int
    num_temporary: int
    bytes: int

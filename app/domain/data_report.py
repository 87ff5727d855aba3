"""What was found in a data file: detection, findings and the identity of the examples made from it."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from app.domain.wording import SAID, Sentence, Worded

FindingCode = Literal[
    "unreadable_row",
    "missing_column",
    "empty_text",
    "missing_label",
    "single_class",
    "unknown_label",
    "label_variant",
    "duplicate",
    "near_duplicate",
    "conflicting_label",
    "leakage",
    "imbalance",
    "tiny_class",
    "sorted_labels",
    "truncated",
    "encoding_damage",
    "length_outlier",
    "language_mismatch",
    "personal_data",
    "suspected_label_error",
]
MAX_ROWS_NAMED = 100


class PreviewRow(BaseModel):
    """A row as it was understood: its number (from 1, header not counted), text and label, shortened."""

    model_config = ConfigDict(frozen=True)

    row: int
    text: str
    label: str


class Detected(Worded):
    """How a file was read; `reasons` has one sentence for each choice that was made, not given.

    `preview` has its first rows, `other_lines` (from 1, the header counted) the first hundred lines that are in another
    encoding than the file.
    """

    model_config = ConfigDict(frozen=True)

    format: str
    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    columns: list[str] = Field(default_factory=list)
    text_column: str | None = None
    label_column: str | None = None
    reasons: dict[str, str] = Field(default_factory=dict)
    other_lines: list[int] = Field(default_factory=list, max_length=MAX_ROWS_NAMED)
    preview: list[PreviewRow] = Field(default_factory=list)
    said: dict[str, Sentence] = SAID

    def because(self, reasons: Mapping[str, str], **more: Any) -> "Detected":
        """The same with more reasons, and what they are for."""
        return Detected.model_validate(dict(self) | more | {"reasons": self.reasons | dict(reasons)})


class Finding(Worded):
    """One kind of trouble: which rows (1-based, header not counted, at most 100 named), what it costs, what to do."""

    model_config = ConfigDict(frozen=True)

    code: FindingCode
    severity: Literal["error", "warning"]
    message: str
    cost: str = ""
    fix: str
    count: int
    rows: list[int] = Field(default_factory=list, max_length=MAX_ROWS_NAMED)
    examples: list[str] = Field(default_factory=list)
    said: dict[str, Sentence] = SAID


class ValidationReport(BaseModel):
    """The answer to `finetune data validate` for one file."""

    model_config = ConfigDict(frozen=True)

    file: str
    sha256: str
    rows: int
    detected: Detected
    labels: dict[str, int]
    findings: list[Finding]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """True when nothing blocks."""
        return not any(f.severity == "error" for f in self.findings)


class DataIdentity(BaseModel):
    """The examples a run uses, named by content: `version` is the sha256 over every split's texts and labels.

    `labels` is in id order. Counts are rows per split after splitting.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    labels: list[str]
    num_train: int
    num_eval: int
    num_test: int
    train_label_counts: list[int]


class DataReport(BaseModel):
    """`data_report.json` of a run: identity, and the validation of every source file."""

    model_config = ConfigDict(frozen=True)

    identity: DataIdentity
    reports: dict[str, ValidationReport]
    profile: dict[str, Any] = Field(default_factory=dict)

"""Decisions about doubted labels: kept by content, so that a review can be left and taken up, and applied to rows."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from app.data import catalogue, readers, versioning
from app.data.cleaning import Change
from app.data.readers import Rows
from app.data.store_files import read_record, store_directory, write_record
from app.data.stored import as_rows
from app.domain.data_version import NamedVersion
from app.domain.errors import DataUnreadable
from app.domain.label_doubts import Decision, Review
from app.domain.wording import say

CODE = "suspected_label_error"


@dataclass(frozen=True)
class Labelled:
    """A source's rows with text and label, as parallel lists; `splits` and `entry` where it is a stored version."""

    source: str
    sha256: str
    rows: Rows
    numbers: Sequence[int]
    texts: Sequence[str]
    labels: Sequence[str]
    splits: Sequence[str] | None = None
    entry: NamedVersion | None = None

    @classmethod
    def read(cls, source: str, results_dir: Path, text_column: str, label_column: str) -> Self:
        """Read a file or every split of a stored version; DataUnreadable where there is no text or no label column."""
        entry = catalogue.find_source(results_dir, source)
        if entry is not None:
            examples = versioning.load(entry.version, results_dir)
            rows = as_rows(str(entry), entry.version, examples)
            splits = [row.split for row in examples]
            return cls(str(entry), entry.version, rows, rows.numbers, rows.texts, rows.labels, splits, entry)
        rows = readers.read(source, text_column=text_column, label_column=label_column)
        columns = (rows.detected.text_column, rows.detected.label_column)
        if None in columns:
            raise DataUnreadable(
                say("{source}: there is no text or no label column", source=source),
                hint=say("finetune data validate {source}", source=source),
            )
        usable = [i for i, text in enumerate(rows.texts) if text.strip() and rows.labels[i].strip()]
        content = hashlib.sha256(json.dumps([rows.sha256, *columns]).encode()).hexdigest()
        return cls(
            source,
            content,
            rows,
            [rows.numbers[i] for i in usable],
            [rows.texts[i] for i in usable],
            [rows.labels[i] for i in usable],
        )


def key(text: str, label: str) -> str:
    """What a decision is kept by: the text as it is and its label."""
    return hashlib.sha256(json.dumps([text, label]).encode()).hexdigest()[:32]


def review_path(results_dir: Path, content: str) -> Path:
    """Where the decisions about this content lie."""
    return store_directory(results_dir) / "reviews" / f"{content}.json"


def read_review(results_dir: Path, source: str, content: str) -> Review:
    """The decisions made so far; DatasetDamaged where their file is not what was written."""
    path = review_path(results_dir, content)
    return read_record(path, Review) if path.is_file() else Review(source=source)


def write_review(results_dir: Path, content: str, review: Review) -> None:
    """Keep the decisions; StorageError, and the old ones kept, where that is not possible."""
    write_record(review_path(results_dir, content), review)


def carried_over(decisions: Mapping[str, Decision], labelled: Labelled) -> dict[str, Decision]:
    """What is decided about the rows after the decisions are applied: a person has looked at them."""
    found = {}
    for text, label in zip(labelled.texts, labelled.labels, strict=True):
        decision = decisions.get(key(text, label))
        if decision is not None and decision.action != "drop":
            found[key(text, decision.label or label)] = Decision(action="keep")
    return found


def outcome(decisions: Mapping[str, Decision], text: str, label: str) -> str | None:
    """The label a row has after the decisions; None where it is dropped."""
    decision = decisions.get(key(text, label))
    if decision is None or decision.action == "keep":
        return label
    return decision.label if decision.action == "relabel" else None


def changes(labelled: Labelled, decisions: Mapping[str, Decision]) -> list[Change]:
    """What the decisions change, row by row in file order."""
    found = []
    for number, text, label in zip(labelled.numbers, labelled.texts, labelled.labels, strict=True):
        new = outcome(decisions, text, label)
        if new is None:
            found.append(Change(number, CODE, "drop", label, "", "dropped in review"))
        elif new != label:
            found.append(Change(number, CODE, "relabel", label, new, "relabelled in review"))
    return found


def reviewed_rows(rows: Rows, decisions: Mapping[str, Decision]) -> Rows:
    """The rows as read, with their new labels, without those that are dropped."""
    kept = [
        (number, text, new)
        for number, text, label in zip(rows.numbers, rows.texts, rows.labels, strict=True)
        if (new := outcome(decisions, text, label)) is not None
    ]
    return replace(
        rows,
        num_rows=rows.num_rows - len(rows.texts) + len(kept),
        numbers=[number for number, _, _ in kept],
        texts=[text for _, text, _ in kept],
        labels=[label for _, _, label in kept],
    )

"""What every source of rows is turned into before its text and label are picked out."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from app.data.encoding import OtherLines
from app.data.line_rows import Unreadable
from app.domain.data_report import Detected

SAMPLE_ROWS = 5000
"""Rows that decide which column is what."""

LabelKind = Literal["numbers", "truth values"]
LABEL_KINDS: dict[LabelKind, re.Pattern[str]] = {
    "numbers": re.compile(r"\s*[+-]?\d+(?:\.\d*)?\s*", re.ASCII),
    "truth values": re.compile(r"\s*(?:true|false)\s*", re.IGNORECASE),
}
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


Record = Sequence[Any] | Unreadable


@dataclass
class Source:
    """Columns and records of a source; a record has a cell for each of `detected.columns`.

    `sha256` is that of the file's bytes; of several files that of their names and hashes. `others` knows which records
    have a line in another encoding, as far as they were taken. `only` gives the records once more, some columns alone,
    where that spares the work for the others.
    """

    sha256: str
    detected: Detected
    records: Iterator[Record]
    others: OtherLines | None = None
    only: Callable[[Sequence[str]], Iterator[Record]] | None = None


def as_text(value: Any) -> str:
    r"""A cell as text, the same from every format: csv has no types, so what has one is written as csv has it.

    A text keeps its words; its line ends become `\n`, as a workbook has them, and halves of characters U+FFFD. Bytes
    are text in UTF-8, or shown as hexadecimal digits. Whole floats lose their fraction, truth values are `true` and
    `false`, lists and objects become JSON, nothing becomes "". Labels that csv spells otherwise (`True`, `1.0`) are
    brought to these spellings by `in_one_spelling`, where all labels are of that kind; texts are not.
    """
    if isinstance(value, str):
        if "\r" in value:
            value = value.replace("\r\n", "\n").replace("\r", "\n")
        return value if value.isascii() else _LONE_SURROGATE.sub("\ufffd", value)
    if value is None:
        return ""
    if isinstance(value, bytes):
        return as_text(_decoded(value) or value.hex())
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if not isfinite(value) else str(int(value)) if value.is_integer() else str(value)
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else str(value)


def sample_text(value: Any) -> str:
    """A cell as it counts for telling which column is what: bytes that are no text are nothing."""
    return as_text(_decoded(value)) if isinstance(value, bytes) else as_text(value)


def _decoded(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def label_kind(labels: Iterable[str], like: Detected | None = None) -> LabelKind | None:
    """What all the labels are, blanks and missing ones aside; of evaluation rows what those of the training data are.

    `like` is how the training data was read; a stored version does not say.
    """
    if like is not None and like.reasons:
        known = like.reasons.get("labels")
        return next((kind for kind in LABEL_KINDS if kind == known), None)
    filled = [label for label in labels if label.strip()]
    return next((kind for kind, form in LABEL_KINDS.items() if filled and all(map(form.fullmatch, filled))), None)


def in_one_spelling(labels: Sequence[str], kind: LabelKind) -> list[str]:
    """Truth values in lower case, numbers without zeros at the end of their fraction; other labels as they are."""
    form = LABEL_KINDS[kind]
    spelled = {label: _respelled(label, kind) for label in set(labels) if form.fullmatch(label)}
    return [spelled.get(label, label) for label in labels]


def _respelled(label: str, kind: LabelKind) -> str:
    if kind == "truth values":
        return label.lower()
    number = label.strip()
    short = number.rstrip("0").rstrip(".") if "." in number else number
    return label.replace(number, "0" if short in ("-0", "-", "") else short)

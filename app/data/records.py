"""What every source of rows is turned into before its text and label are picked out."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from app.data.encoding import OtherLines
from app.data.line_rows import Unreadable
from app.domain.data_report import Detected

SAMPLE_ROWS = 5000
"""Rows that decide which column is what."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass
class Source:
    """Columns and records of a source; a record has a cell for each of `detected.columns`.

    `sha256` is that of the file's bytes; of several files that of their names and hashes. `others` knows which records
    have a line in another encoding, as far as they were taken.
    """

    sha256: str
    detected: Detected
    records: Iterator[Sequence[Any] | Unreadable]
    others: OtherLines | None = None


def as_text(value: Any) -> str:
    """A cell as text: whole floats without their fraction, lists and objects as JSON, nothing as ""."""
    if isinstance(value, str):
        return value if value.isascii() else _LONE_SURROGATE.sub("\ufffd", value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if not isfinite(value) else str(int(value)) if value.is_integer() else str(value)
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else str(value)

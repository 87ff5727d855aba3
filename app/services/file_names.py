"""What people call the files they send, and what those are called here: a client's name is never part of a path."""

import json
import re
import unicodedata
import uuid
from collections.abc import Mapping

MAX_NAME_CHARACTERS = 100
FALLBACK = "upload"
SUFFIXES = (
    *(f".{kind}.gz" for kind in ("csv", "tsv", "tab", "txt", "json", "jsonl", "ndjson")),
    *(f".{kind}" for kind in ("csv", "tsv", "tab", "txt", "json", "jsonl", "ndjson", "parquet", "xlsx", "zip", "gz")),
)
"""Endings that say how a file is read; no other ending is kept."""

_SEPARATORS = re.compile(r"[/\\]")
_SPACES = re.compile(r"\s+")


def safe_name(given: str) -> str:
    """A client's file name as it may be shown and kept: its last part, printable, of bounded length.

    Compatibility forms are folded first (NFKC), so that no look-alike of a separator is left; what steers terminals
    or turns the order of text around is dropped.
    """
    folded = unicodedata.normalize("NFKC", given[-10 * MAX_NAME_CHARACTERS :])
    last = _SEPARATORS.split(folded)[-1]
    printable = "".join(char for char in _SPACES.sub(" ", last) if unicodedata.category(char)[0] != "C")
    name = printable.strip().rstrip(" .")
    suffix = suffix_of(name)
    stem = name[: len(name) - len(suffix)][: MAX_NAME_CHARACTERS - len(suffix)].strip(" .") or FALLBACK
    return stem + suffix


def suffix_of(name: str) -> str:
    """The ending that says how a file is read, as it is written; empty where there is none known."""
    lower = name.lower()
    return next((name[len(name) - len(suffix) :] for suffix in SUFFIXES if lower.endswith(suffix)), "")


def name_here(shown: str) -> tuple[str, dict[str, str]]:
    """A new name for a file that people call `shown`, and what of it stands for what of theirs."""
    suffix = suffix_of(shown)
    token = uuid.uuid4().hex
    return token + suffix.lower(), {token: shown[: len(shown) - len(suffix)]}


def with_shown_names(document: str, shown_as: Mapping[str, str]) -> str:
    """A JSON text that says everywhere what people call things, in place of what they are called here."""
    for ours, theirs in shown_as.items():
        document = document.replace(json.dumps(ours)[1:-1], json.dumps(theirs)[1:-1])
    return document

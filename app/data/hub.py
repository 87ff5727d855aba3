"""Data sets of the Hugging Face hub, through the `datasets` package: `hub:OWNER/NAME[/CONFIG][:SPLIT]`."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from app.domain.errors import DataUnreadable, InvalidInput
from app.domain.wording import say

PREFIX = "hub:"
_EXAMPLE = "write hub:OWNER/NAME, hub:OWNER/NAME:SPLIT or hub:OWNER/NAME/CONFIG:SPLIT"


def parse(source: str) -> tuple[str, str | None, str]:
    """Split `hub:OWNER/NAME/CONFIG:SPLIT` into data set id, configuration and split (`train` unless named)."""
    name, _, split = source.removeprefix(PREFIX).partition(":")
    parts = name.split("/")
    if not all(parts) or len(parts) > 3:
        raise InvalidInput(say("'{source}' names no hub data set", source=source), hint=_EXAMPLE)
    return "/".join(parts[:2]), parts[2] if len(parts) == 3 else None, split or "train"


def load(source: str) -> tuple[list[str], Iterator[Sequence[Any]], str]:
    """Columns, rows (ids of class labels replaced by their names) and a sha256 over the rows.

    Raises DataUnreadable where the hub cannot be reached or does not have it.
    """
    identifier, config, split = parse(source)
    import datasets

    try:
        loaded = datasets.load_dataset(identifier, config, split=split)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataUnreadable(
            say("cannot load {source}: {reason}", source=source, reason=reason),
            hint=say("check the spelling and the network, or give a file; {example}", example=_EXAMPLE),
        ) from error
    names = {
        column: feature.names for column, feature in loaded.features.items() if isinstance(feature, datasets.ClassLabel)
    }
    columns = list(loaded.column_names)

    def named(column: str, values: list[Any]) -> list[Any]:
        if column not in names:
            return values
        return [names[column][value] if value is not None and value >= 0 else None for value in values]

    def rows() -> Iterator[Sequence[Any]]:
        for start in range(0, len(loaded), 10_000):
            batch = loaded[start : start + 10_000]
            yield from zip(*(named(column, batch[column]) for column in columns), strict=True)

    digest = hashlib.sha256()
    for row in rows():
        digest.update(json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n")
    return columns, rows(), digest.hexdigest()

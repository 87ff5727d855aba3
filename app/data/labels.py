"""Labels in the order of their ids."""

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


def label_order(labels: Iterable[str]) -> list[str]:
    """Distinct labels in the order of their ids: by value when all are numbers, else by code point."""
    distinct = sorted(set(labels))
    if not all(map(_NUMBER.fullmatch, distinct)):
        return distinct
    return sorted(distinct, key=lambda label: (float(label), label))

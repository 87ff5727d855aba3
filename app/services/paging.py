"""Keyset cursors: opaque marks of the last item of a page, so that the next one is found by an index.

A cursor belongs to one list in one order (`scope`): used with another it is refused, as is a damaged one. It is not
secret and not signed: all it can do is say where a list goes on, within what its caller may see.
"""

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from app.domain.errors import InvalidInput
from app.domain.wording import say

CursorValue = str | int | float | datetime | None

_MAX_CHARACTERS = 2000
_MAX_INTEGER = 2**63 - 1
_FAULT = say("the cursor is damaged or belongs to another list")


def encode_cursor(scope: str, values: Sequence[CursorValue]) -> str:
    """The mark of an item whose sort keys are `values`; `scope` names the list with its filter and its order."""
    plain = [value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value for value in values]
    content = json.dumps([_digest(scope), *plain], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, scope: str, kinds: Sequence[type]) -> tuple[CursorValue, ...]:
    """The sort keys `encode_cursor` was given, each None or of its kind (str, int, float, datetime).

    Raises InvalidInput `page.invalid` for anything that is no cursor of this list.
    """
    try:
        found, *values = _content(cursor)
        if found != _digest(scope) or len(values) != len(kinds):
            raise ValueError(_FAULT)
        return tuple(None if value is None else _as(kind, value) for kind, value in zip(kinds, values, strict=True))
    except (ValueError, TypeError, RecursionError, OverflowError, binascii.Error) as error:
        raise InvalidInput(
            _FAULT, hint="take `next` of the page before, with the same filter and order", code="page.invalid"
        ) from error


def _content(cursor: str) -> list[Any]:
    if len(cursor) > _MAX_CHARACTERS or not cursor.isascii():
        raise ValueError(_FAULT)
    padded = cursor + "=" * (-len(cursor) % 4)
    content = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True), parse_constant=_refuse)
    if not isinstance(content, list) or not content:
        raise ValueError(_FAULT)
    return content


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _as(kind: type, value: Any) -> CursorValue:
    """`value` as the database will be given it; ValueError for what it cannot hold."""
    if kind is datetime and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(_FAULT)
        return moment.astimezone(UTC)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ValueError(_FAULT)
    if isinstance(value, int) and not -_MAX_INTEGER <= value <= _MAX_INTEGER:
        raise ValueError(_FAULT)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(_FAULT)
    if isinstance(value, str) and b"\0" in value.encode():  # which refuses lone surrogates, as databases do
        raise ValueError(_FAULT)
    return cast(CursorValue, value)


def _digest(scope: str) -> str:
    return hashlib.sha256(scope.encode("utf-8", "replace")).hexdigest()[:12]

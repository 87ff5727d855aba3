"""What an audit event is made of: its canonical form, the hash chain, signatures, and what may not be in it.

Pure: no database, no files, no clock. `app/db/repositories/audit.py` stores events, `app/services` appends and checks.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from app.domain.audit import AuditEvent
from app.domain.errors import InvalidInput

GENESIS_HASH = "0" * 64
"""What the first event is chained to."""
MAX_TEXT_CHARACTERS = 1_000
"""Of one value in the details; what is longer is cut."""
MAX_DETAILS_BYTES = 16_000
_LENGTHS = {"actor": 100, "action": 60, "resource": 255, "outcome": 10, "ip": 64, "request_id": 64}

_SECRET_KEY = re.compile(
    r"passw(or)?d|passphrase|secret|authorization|credential|cookie|(^|_)(api|private|signing)_?keys?$"
    r"|(^|_)(token|jwt|texts?|sentences?|prompt)$"
)
_SECRET_VALUE = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|\bft_[A-Za-z0-9]+_[\w-]{16,}|(?i:\bbearer\s+\S{8,})")
_UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters (no database keeps NUL, and a line break could fake a line of an export), halves of characters."""


def rfc3339(time: datetime) -> str:
    """`2026-01-31T09:30:00.000000Z`: always UTC, always six digits, so that every database gives the same text."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def event_hash(event: AuditEvent, previous_hash: str) -> str:
    """SHA-256 of everything an event says and of the hash before it, in hexadecimal."""
    form = {**vars(event), "time": rfc3339(event.time), "previous_hash": previous_hash}
    return hashlib.sha256(b"audit event 1\n" + canonical_json(form)).hexdigest()


def canonical_json(value: Any) -> bytes:
    """One text for one value: sorted keys, no spaces, ASCII; raises ValueError for what JSON cannot say."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def sign(key: bytes, purpose: str, *facts: str | int) -> str:
    """HMAC-SHA-256 of facts; `purpose` (`head`, `checkpoint`) keeps the one from passing as the other."""
    signed = "\n".join(str(fact) for fact in (f"audit {purpose} 1", *facts))
    return hmac.new(key, signed.encode("utf-8", "backslashreplace"), hashlib.sha256).hexdigest()


def is_signed(signature: str, key: bytes, purpose: str, *facts: str | int) -> bool:
    """Whether a signature is that of `sign` with this key; takes as long for a wrong one."""
    return hmac.compare_digest(sign(key, purpose, *facts).encode(), signature.encode("utf-8", "backslashreplace"))


def storable(field: str, text: str) -> str:
    """A text as the column of that name takes it: without control characters, not longer than it may be."""
    return _cut(_clean(text), _LENGTHS[field])


def checked_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details as they are stored and hashed.

    ValueError where a key announces a secret or a text of training data: that is a fault of the program. What only
    looks like a token or an API key is replaced, long texts are cut. InvalidInput above MAX_DETAILS_BYTES.
    """
    checked: dict[str, Any] = json.loads(canonical_json(_checked(details)))
    size = len(canonical_json(checked))
    if size > MAX_DETAILS_BYTES:
        raise InvalidInput(
            f"the audit log takes {MAX_DETAILS_BYTES} bytes of details an event, not {size}",
            hint="ask for fewer things at once",
            code="audit.too_large",
        )
    return checked


def _checked(value: Any) -> Any:
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or _SECRET_KEY.search(_words_of(key)):
                raise ValueError(f"the audit log takes no {key!r}: it may hold a secret or a text of training data")
        return {_cut(_clean(key), 100): _checked(item) for key, item in value.items()}
    if isinstance(value, str):
        return _cut(_SECRET_VALUE.sub("[removed]", _clean(value)), MAX_TEXT_CHARACTERS)
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_checked(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return value


def _words_of(key: str) -> str:
    """`accessToken` and `access-token` as `access_token`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", key).lower()


def _clean(text: str) -> str:
    return _UNSTORABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"

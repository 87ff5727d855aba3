"""An event of the audit log, as every part of the house speaks of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class AuditEvent:
    """Who did what, on what, from where, in which request, and how it ended; ids start at 1 and have no gaps."""

    id: int
    time: datetime
    actor: str
    action: str
    resource: str
    outcome: str
    ip: str | None
    request_id: str
    details: dict[str, Any]


@dataclass(frozen=True)
class ChainedEvent:
    """An event with its place in the chain, as it was stored."""

    event: AuditEvent
    previous_hash: str
    hash: str


@dataclass(frozen=True)
class AuditHead:
    """The newest event, as it was signed when it was appended; `last_id` is 0 before the first one."""

    last_id: int
    last_hash: str
    signature: str

"""An event of the audit log, as every part of the house speaks of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.errors import InvalidInput


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


@dataclass(frozen=True)
class AuditFilter:
    """Which events are wanted; None asks for nothing. `session.*` means all that begin with `session.`.

    `since` is the first moment that counts, `until` the first that does not any more.
    """

    actor: str | None = None
    action: str | None = None
    resource: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise InvalidInput("`since` is not before `until`, so nothing can match", hint="exchange them")


@dataclass(frozen=True)
class AuditFault:
    """Something in the log that is not as it was recorded; `id` is that of the first event it concerns, if one."""

    id: int | None
    what: str


@dataclass(frozen=True)
class Verification:
    """What a check of the whole log found; `head_hash` is that of the event `events`, the last one.

    `accepted` are faults that an administrator has looked into before the log was sealed anew.
    """

    events: int
    checkpoints: int
    head_hash: str
    faults: tuple[AuditFault, ...]
    accepted: tuple[AuditFault, ...] = ()

    @property
    def first_bad_id(self) -> int | None:
        """The first event that is not as it was recorded, or is missing."""
        return min((fault.id for fault in self.faults if fault.id is not None), default=None)

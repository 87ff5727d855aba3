"""Whether the audit log is as it was recorded: every event, their order, their end, and the checkpoints beside it."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from app.db.repositories import audit as repository
from app.db.session import Session
from app.domain.audit import AuditFault, AuditHead, ChainedEvent, Verification
from app.domain.wording import Said, say, words
from app.monitor.audit_utils import GENESIS_HASH, canonical_json, event_hash
from app.services.audit_checkpoints import EVERY_EVENTS, Checkpoint
from app.services.auditing import AuditLog

CHUNK = 1_000
MAX_BEFORE_FIRST = 2 * EVERY_EVENTS
"""Events there may be without a checkpoint; the first one falls due with the second event."""


def verify(
    audit: AuditLog,
    *,
    expected: tuple[int, str] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Verification:
    """Check the whole log, holding one chunk of it in memory.

    `expected` is the id and the hash of an event as somebody noted them outside; `progress` hears the number of events
    checked and their total. Writers are not held up, and what they append meanwhile is not looked at.
    """
    # Before the database, since a checkpoint made later names an event this check does not see.
    marks = _marks(audit)
    if expected is not None:
        marks.add(*expected, Said.of(words("noted outside"), None))
    with audit.database.read() as session:
        head = repository.head(session)
        total = repository.last_id(session)
        chain = _Chain(marks)
        faults = list(marks.faults)
        for done in chain.walk(session):
            progress(done, total)
        faults += chain.faults
        faults += _newly_wrong(marks, chain)
        faults += _faults_of_head(audit, head, chain)
        if not chain.faults:
            faults += marks.missing(chain.last_id)
        if not repository.is_guarded(session):
            faults.append(
                AuditFault(None, words("the triggers that refuse changes to events are missing from the database"))
            )
    return Verification(chain.last_id, marks.count, chain.last_hash, tuple(faults), tuple(chain.accepted))


def wrong_before(audit: AuditLog, event_id: int) -> str:
    """The digest of all that is wrong with the events before one, for the seal that accepts it."""
    chain = _Chain(_Marks(), event_id)
    with audit.database.read() as session:
        for _ in chain.walk(session):
            pass
    return _digest(chain.accepted)


def _digest(faults: list[AuditFault]) -> str:
    return hashlib.sha256(canonical_json([[fault.id, fault.what] for fault in faults])).hexdigest()


def _newly_wrong(marks: "_Marks", chain: "_Chain") -> list[AuditFault]:
    """What is wrong before the seal, where that is not what was accepted with it."""
    if not marks.sealed_id or chain.faults or marks.first is None or marks.first.seal == _digest(chain.accepted):
        return []
    known, chain.accepted = chain.accepted, []
    return [
        *known,
        AuditFault(None, say("what is wrong before event {id} is not what was accepted there", id=marks.sealed_id)),
    ]


@dataclass
class _Marks:
    """What events must hash to, by id, as checkpoints say."""

    hashes: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    faults: list[AuditFault] = field(default_factory=list)
    count: int = 0
    first: Checkpoint | None = None

    @property
    def sealed_id(self) -> int:
        """The event up to which what is wrong is known; 0 for none."""
        return self.first.id if self.first is not None and self.first.seal else 0

    def add(self, event_id: int, hash_: str, reason: str) -> None:
        self.hashes.setdefault(event_id, []).append((hash_, reason))

    def compare(self, event_id: int, hash_: str) -> Iterator[AuditFault]:
        for wanted, reason in self.hashes.get(event_id, ()):
            if wanted != hash_:
                yield AuditFault(event_id, say("event {id} is not the one {reason}", id=event_id, reason=reason))

    def missing(self, last_id: int) -> Iterator[AuditFault]:
        """Events that a checkpoint names and that are not there; checkpoints that must have been."""
        beyond = max(self.hashes, default=0)
        if beyond > last_id:
            _hash, reason = self.hashes[beyond][0]
            yield AuditFault(
                last_id + 1,
                say(
                    "events {first} to {last} are missing, the last of which was {reason}: the log was cut, or the "
                    "database was put back to an older one",
                    first=last_id + 1,
                    last=beyond,
                    reason=reason,
                ),
            )
        unsigned = 0 if self.sealed_id else self.first.id if self.first else last_id
        if unsigned > MAX_BEFORE_FIRST:
            yield AuditFault(
                None,
                say("there is no checkpoint of the first {count} events: the file was removed or cut", count=unsigned),
            )


def _marks(audit: AuditLog) -> _Marks:
    marks, path, number = _Marks(), audit.checkpoints.path, 0
    for line, mark in audit.checkpoints.read():
        if mark is None:
            marks.faults.append(
                AuditFault(None, say("{path}:{line}: damaged, or not signed here", path=path, line=line))
            )
            continue
        if mark.number != number + 1 and not (mark.seal and marks.count == 0):
            marks.faults.append(
                AuditFault(
                    None,
                    say(
                        "{path}:{line}: checkpoint {number} follows checkpoint {before}",
                        path=path,
                        line=line,
                        number=mark.number,
                        before=number,
                    ),
                )
            )
        number = mark.number
        marks.count += 1
        marks.first = marks.first or mark
        marks.add(mark.id, mark.hash, say("signed in a checkpoint of {time}", time=mark.time))
    return marks


class _Chain:
    """A walk along the events that stops at the first one whose content, place or link is wrong."""

    def __init__(self, marks: _Marks, sealed_id: int | None = None) -> None:
        self._sealed_id = marks.sealed_id if sealed_id is None else sealed_id
        self.last_id, self.last_hash = 0, GENESIS_HASH
        self.faults: list[AuditFault] = []
        self.accepted: list[AuditFault] = []
        self._marks = marks

    def walk(self, session: Session) -> Iterator[int]:
        """Check chunk after chunk; yields the number checked."""
        while not self.faults and (events := self._chunk(session)):
            for chained in events:
                self._judge(self._fault_of(chained))
                if self.faults:
                    break
                self.last_id, self.last_hash = chained.event.id, chained.hash
                self.faults += self._marks.compare(self.last_id, self.last_hash)
                if self.faults:
                    break
            yield self.last_id

    def _judge(self, fault: AuditFault | None) -> None:
        """Keep a fault, as one that was accepted where it lies before the seal."""
        if fault is not None:
            is_known = fault.id is not None and fault.id < self._sealed_id
            (self.accepted if is_known else self.faults).append(fault)

    def _chunk(self, session: Session) -> list[ChainedEvent]:
        try:
            return repository.chain_after(session, self.last_id, CHUNK)
        except (ValueError, TypeError, ArithmeticError):
            return self._readable(session)

    def _readable(self, session: Session) -> list[ChainedEvent]:
        """The events of a chunk before the first whose time or details are not what a time or details are."""
        found: list[ChainedEvent] = []
        last_id = self.last_id
        for event_id in repository.ids_after(session, self.last_id, CHUNK):
            try:
                found += repository.chain_after(session, last_id, 1)
            except (ValueError, TypeError, ArithmeticError) as error:
                if not found:
                    self._judge(_unreadable(event_id, error))
                if found or self.faults:
                    return found
                self.last_id, self.last_hash = event_id, ""
            last_id = event_id
        return found

    def _fault_of(self, chained: ChainedEvent) -> AuditFault | None:
        event, expected = chained.event, self.last_id + 1
        if event.id != expected:
            if event.id == expected + 1:
                return AuditFault(expected, say("event {id} is missing", id=expected))
            return AuditFault(expected, say("events {first} to {last} are missing", first=expected, last=event.id - 1))
        try:
            real_hash = event_hash(event, chained.previous_hash)
        except (ValueError, TypeError, AttributeError) as error:
            return _unreadable(event.id, error)
        if chained.hash != real_hash:
            return AuditFault(event.id, say("event {id} was changed: its content does not have its hash", id=event.id))
        if chained.previous_hash != self.last_hash:
            return AuditFault(
                event.id,
                say(
                    "event {id} does not follow event {before}: one of them was replaced",
                    id=event.id,
                    before=self.last_id,
                ),
            )
        return None


def _unreadable(event_id: int, error: Exception) -> AuditFault:
    return AuditFault(event_id, say("event {id} cannot be read: {error}", id=event_id, error=error))


def _faults_of_head(audit: AuditLog, head: AuditHead | None, chain: _Chain) -> Iterator[AuditFault]:
    """What the signed head says against the end of the chain."""
    end = chain.last_id
    if head is None:
        if end or chain.faults:
            yield AuditFault(end + 1, say("the log's head is missing: what came after event {end} may be too", end=end))
        return
    if not audit.is_head_signed(head):
        yield AuditFault(
            end + 1,
            say(
                "the log's head is not signed by this installation: events after {end} may have been cut or added",
                end=end,
            ),
        )
        return
    if chain.faults:
        return
    if head.last_id > end:
        yield AuditFault(
            end + 1, say("events {first} to {last} are missing: the log was cut", first=end + 1, last=head.last_id)
        )
    elif head.last_id < end:
        yield AuditFault(
            head.last_id + 1, say("events after {id} were not recorded by this installation", id=head.last_id)
        )
    elif head.last_hash != chain.last_hash:
        yield AuditFault(
            end, say("event {id} is not the one that was signed as the last: the log was rewritten", id=end)
        )

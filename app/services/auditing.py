"""The audit log: what is recorded of a change, in the same transaction as the change itself.

Reading and exporting it is `audit_log`, checking it `audit_verification`; what an event is made of,
`app.monitor.audit_utils`.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from app.db.repositories import audit as repository
from app.db.session import Database, Session
from app.db.tables.base import utc_now
from app.domain.audit import AuditEvent, AuditHead, ChainedEvent
from app.domain.errors import AuditUnavailable, PlatformError
from app.domain.principal import Caller
from app.monitor.audit_utils import GENESIS_HASH, checked_details, event_hash, is_signed, sign, storable
from app.services.audit_checkpoints import Checkpoint, CheckpointFile
from app.services.denial_flood import WINDOW_SECONDS, Denial, DenialFlood

logger = logging.getLogger(__name__)

Outcome = Literal["success", "denied", "failed", "started"]
"""`started` is the intent of work that takes more than one transaction; another event says how it ended."""

_APPENDED = "audit_appended"
"""In a session's `info`: its transaction has appended, so the head it sees is not committed yet."""


class AuditLog:
    """Appends events; nothing can change or remove one. `results_dir` is where checkpoints are kept."""

    def __init__(self, database: Database, key: bytes, results_dir: Path) -> None:
        self.database = database
        self.checkpoints = CheckpointFile(results_dir / "audit" / "checkpoints.jsonl", key)
        self._key = key
        self._flood = DenialFlood()
        self._timer: threading.Timer | None = None
        self._timer_lock = threading.Lock()

    def append(
        self,
        session: Session,
        caller: Caller,
        action: str,
        resource: str,
        outcome: Outcome = "success",
        details: Mapping[str, Any] | None = None,
    ) -> int:
        """Record an event in the caller's transaction; its id. AuditUnavailable where that fails, so no change is made.

        `action` is NOUN.VERB (`dataset.create`), `resource` KIND:NAME (`dataset:reviews`); secrets and texts of
        training data are refused in `details` (ValueError). Call it last in the transaction: until that ends, nobody
        else can append.
        """
        recorded = checked_details(details or {})
        # What the caller has changed so far fails as its own fault, not as the audit log's.
        session.flush()
        with repository.appending():
            head = self._locked_head(session)
            event = AuditEvent(
                id=head.last_id + 1,
                time=utc_now(),
                actor=storable("actor", caller.actor),
                action=storable("action", action),
                resource=storable("resource", resource),
                outcome=outcome,
                ip=None if caller.ip is None else storable("ip", caller.ip),
                request_id=storable("request_id", caller.request_id),
                details=recorded,
            )
            if not session.info.get(_APPENDED):
                self.checkpoints.keep_up(head, event.time)
            new_hash = event_hash(event, head.last_hash)
            new_head = AuditHead(event.id, new_hash, sign(self._key, "head", event.id, new_hash))
            repository.add(session, ChainedEvent(event, head.last_hash, new_hash), new_head)
        session.info[_APPENDED] = True
        return event.id

    def append_now(
        self,
        caller: Caller,
        action: str,
        resource: str,
        outcome: Outcome = "success",
        details: Mapping[str, Any] | None = None,
    ) -> int:
        """Record an event in a transaction of its own: a download, how started work ended."""
        with self.database.write(alone=False) as session:
            return self.append(session, caller, action, resource, outcome, details)

    @contextmanager
    def recorded(
        self, caller: Caller, action: str, resource: str, details: Mapping[str, Any] | None = None
    ) -> Iterator[None]:
        """Record that the block is begun, so that nothing is done where that fails; afterwards, how it ended."""
        self.append_now(caller, action, resource, "started", details)
        try:
            yield
        except Exception:
            self.append_now(caller, action, resource, "failed", details)
            raise
        self.append_now(caller, action, resource, "success", details)

    def deny(self, caller: Caller, action: str, resource: str, details: Mapping[str, Any] | None = None) -> None:
        """Record a denial in a transaction of its own; of a flood, the first ones and then how many there were."""
        for denial in self._flood.admit(Denial(caller, action, resource, details or {})):
            self._record(denial)
        self._record_later()

    def record_counted_denials(self) -> None:
        """Record what was counted so far: for the end of a process."""
        self._record_if_possible(self._flood.ended(now_all=True))

    def _record(self, denial: Denial) -> None:
        self.append_now(denial.caller, denial.action, denial.resource, "denied", denial.details)

    def _record_later(self) -> None:
        """See to it that what is counted is recorded although nobody may be denied anything any more."""
        with self._timer_lock:
            if self._timer is not None or not self._flood.is_counting:
                return
            self._timer = threading.Timer(WINDOW_SECONDS, self._record_ended)
            self._timer.daemon = True
            self._timer.start()

    def _record_ended(self) -> None:
        with self._timer_lock:
            self._timer = None
        self._record_if_possible(self._flood.ended())
        self._record_later()

    def _record_if_possible(self, denials: list[Denial]) -> None:
        """For where nobody waits for an answer: what cannot be recorded is in the log of the process."""
        for denial in denials:
            try:
                self._record(denial)
            except PlatformError:
                logger.exception("not recorded: %s", denial)

    def checkpoint(self) -> Checkpoint:
        """Sign what the log holds now, whether or not a checkpoint is due."""
        with self.database.write(alone=False) as session, repository.appending():
            return self.checkpoints.add(self._locked_head(session), utc_now())

    def reseal(self, caller: Caller, details: Mapping[str, Any]) -> AuditHead:
        """Go on from the newest event there is, whatever the head says, and record that; the head from then on."""
        with self.database.write() as session, repository.appending():
            last_id, last_hash = repository.last_link(session)
            last_hash = last_hash or GENESIS_HASH
            repository.replace_head(session, AuditHead(last_id, last_hash, sign(self._key, "head", last_id, last_hash)))
            session.info[_APPENDED] = True
            self.append(session, caller, "audit.reseal", "audit:logs", details=details)
            return self._locked_head(session)

    def is_head_signed(self, head: AuditHead) -> bool:
        """Whether a head was written by this installation."""
        return is_signed(head.signature, self._key, "head", head.last_id, head.last_hash)

    def _locked_head(self, session: Session) -> AuditHead:
        """The head, kept from others; a forged one is not built upon, since the next signature would make it pass."""
        head = repository.locked_head(session)
        if head is None:
            if repository.is_empty(session):
                repository.begin(session, AuditHead(0, GENESIS_HASH, sign(self._key, "head", 0, GENESIS_HASH)))
            head = repository.locked_head(session)  # perhaps another process's, committed a moment ago
        if head is None or not self.is_head_signed(head):
            raise AuditUnavailable(
                "the audit log's head is not as it was signed, so nothing can be recorded or changed",
                hint="`finetune audit verify` says what is wrong",
                code="audit.tampered",
            )
        return head

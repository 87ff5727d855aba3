"""The audit log: what is recorded of a change, in the same transaction as the change itself."""

from collections.abc import Mapping
from typing import Any, Literal

from app.db.session import Database, Session
from app.domain.principal import Caller

Outcome = Literal["success", "denied", "failed", "started"]
"""`started` is the intent of work that takes more than one transaction; another event says how it ended."""


class AuditLog:
    """Appends events; nothing can change or remove one."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database, self._key = database, key

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
        training data are refused in `details`.
        """
        raise NotImplementedError

    def append_now(
        self,
        caller: Caller,
        action: str,
        resource: str,
        outcome: Outcome = "success",
        details: Mapping[str, Any] | None = None,
    ) -> int:
        """Record an event in a transaction of its own: a denial, a download, how started work ended."""
        with self._database.write() as session:
            return self.append(session, caller, action, resource, outcome, details)

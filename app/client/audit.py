"""The audit log, for administrators."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import httpx

from app.client import faults
from app.client.endpoint import Call, Endpoint, Noun, endpoint
from app.client.pages import all_items
from app.domain.audit import AuditFilter
from app.schemas.audit import AuditItem, AuditVerification
from app.schemas.paging import DEFAULT_LIMIT, Page

ALL = AuditFilter()
VERIFY_TIMEOUT = httpx.Timeout(connect=5.0, read=600.0, write=30.0, pool=10.0)
"""A long log takes its time."""


class Audit(Noun):
    """`/audit`."""

    @endpoint("GET", "/audit/logs")
    def page(
        self, at: Endpoint, wanted: AuditFilter = ALL, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[AuditItem]:
        """Events, newest first, one page."""
        return _matching(at, wanted).query(limit=limit, cursor=cursor).as_(Page[AuditItem])

    def all(self, wanted: AuditFilter = ALL, at_most: int | None = None) -> Iterator[AuditItem]:
        """Events, newest first, as many as are asked for."""
        return all_items(lambda cursor, limit: self.page(wanted, limit=limit, cursor=cursor), at_most)

    @endpoint("GET", "/audit/export")
    def _exported(self, at: Endpoint, wanted: AuditFilter, format_: str) -> Call:
        return _matching(at, wanted).query(format=format_)

    @contextmanager
    def export(
        self, wanted: AuditFilter = ALL, format_: Literal["jsonl", "csv"] = "jsonl"
    ) -> Iterator[Iterator[bytes]]:
        """All events that match, oldest first, with their hashes, as pieces of a file while they arrive."""
        call = self._exported(wanted, format_)
        with call.connection.stream(call.asked) as response:
            yield _pieces(response, call.connection.server)

    @endpoint("GET", "/audit/verify")
    def verify(self, at: Endpoint) -> AuditVerification:
        """Check the whole log on the server."""
        return at().with_(timeout=VERIFY_TIMEOUT).as_(AuditVerification)


def _matching(at: Endpoint, wanted: AuditFilter) -> Call:
    return at().query(
        actor=wanted.actor,
        action=wanted.action,
        resource=wanted.resource,
        outcome=wanted.outcome,
        since=None if wanted.since is None else wanted.since.isoformat(),
        until=None if wanted.until is None else wanted.until.isoformat(),
    )


def _pieces(response: httpx.Response, server: str) -> Iterator[bytes]:
    try:
        yield from response.iter_bytes()
    except httpx.TransportError as error:
        raise faults.unreachable(server, error) from error

"""A request that creates something may be sent twice with one key and takes effect once.

The first answer is kept and given again. A process that dies between the effect and the answer leaves the key in
progress: the audit log, written in the same transaction as the effect, tells whether there was one.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from app.db.repositories import idempotency
from app.db.session import Session
from app.db.tables import IdempotencyRow
from app.db.tables.base import utc_now
from app.domain.errors import Conflict, IdempotencyMismatch, PlatformError
from app.domain.wording import say
from app.services.platform import Platform

KEPT = timedelta(hours=24)
"""For so long a repeated request gets the first answer."""
IN_PROGRESS = timedelta(seconds=60)
"""A request without answer is taken for dead after so long, unless it is of a kind that takes longer."""
_CLOCKS = timedelta(minutes=5)
"""How far the clocks of several machines may differ."""

Answer = tuple[int, dict[str, Any]]
Recover = Callable[[list[str]], Answer | None]


@dataclass(frozen=True)
class KeyedRequest:
    """One request: `owner` and `key` name it, `sha256` is what it asks, `request_id` this sending of it."""

    owner: str
    key: str
    sha256: str
    request_id: str


def answer_once(
    platform: Platform,
    request: KeyedRequest,
    make: Callable[[], Answer],
    recover: Recover,
    *,
    repeatable_after: timedelta | None = None,
) -> tuple[Answer, bool]:
    """What `make` answers, or the answer it gave before (then True beside it).

    `recover` makes the answer of a request that died after it had changed the resources it is given, or None; then the
    request is made again, where it is one that may be, once the first one is as old as it can get.
    Raises IdempotencyMismatch when the key was used for another request, Conflict while that one is being answered.
    What `make` raises frees the key.
    """
    known = _begin(platform, request, recover, repeatable_after)
    if known is not None:
        return known, True
    try:
        status, body = make()
    except BaseException:
        # Where even this fails, the key is free again after a while.
        with suppress(PlatformError), platform.installation.database.write() as session:
            idempotency.forget(session, owner=request.owner, key=request.key, request_id=request.request_id)
        raise
    _complete(platform, request, request.request_id, (status, body))
    return (status, body), False


def _begin(
    platform: Platform, request: KeyedRequest, recover: Recover, repeatable_after: timedelta | None
) -> Answer | None:
    """Take the key; the answer where there is one already."""
    with platform.installation.database.write() as session:
        if idempotency.add(
            session,
            owner=request.owner,
            key=request.key,
            request_sha256=request.sha256,
            request_id=request.request_id,
        ):
            return None
        row = idempotency.get(session, request.owner, request.key)
        if row is None:
            raise _in_progress(request)  # it failed this very moment, and its key is free again
        if row.request_sha256 != request.sha256:
            raise IdempotencyMismatch(
                say("Idempotency-Key {key!r} was used for another request", key=request.key),
                hint="give each new request a key of its own",
            )
        if row.status is not None:
            return row.status, row.body or {}
        effects = idempotency.effects(session, row.request_id, row.created_at - _CLOCKS)
        # Ahead by more, it was taken by a server whose clock was wrong.
        is_fresh = abs(utc_now() - row.created_at) < (repeatable_after or IN_PROGRESS)
        if not effects:
            _take_over(session, request, row, is_fresh)
            return None
    answer = recover(effects)
    if answer is not None:
        _complete(platform, request, row.request_id, answer)
        return answer
    if repeatable_after is None and not is_fresh:
        raise Conflict(
            say(
                "an earlier request with Idempotency-Key {key!r} was interrupted after it had taken effect",
                key=request.key,
            ),
            hint=say("look at {effects}; use a new key to do it once more", effects=", ".join(effects)),
            code="idempotency.interrupted",
        )
    with platform.installation.database.write() as session:
        _take_over(session, request, row, is_fresh)
    return None


def _take_over(session: Session, request: KeyedRequest, row: IdempotencyRow, is_fresh: bool) -> None:
    """Answer in place of a request that died; Conflict where it may live, or somebody else was faster."""
    if is_fresh or not idempotency.take_over(session, row, request.request_id):
        raise _in_progress(request)


def _complete(platform: Platform, request: KeyedRequest, held_by: str, answer: Answer) -> None:
    with platform.installation.database.write() as session:
        idempotency.complete(
            session,
            owner=request.owner,
            key=request.key,
            request_id=held_by,
            status=answer[0],
            body=answer[1],
        )


def _in_progress(request: KeyedRequest) -> Conflict:
    return Conflict(
        say("a request with Idempotency-Key {key!r} is being answered", key=request.key),
        hint="send it again in a moment",
        code="idempotency.in_progress",
    )

"""`Idempotency-Key`: a request that creates something, sent again because its answer was lost, takes effect once.

A route asks for `IdempotentDep` and answers with `idempotent.run(make)`.
"""

import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from app.api.dependencies import CurrentUser, PlatformDep
from app.api.errors import request_id_of
from app.domain.principal import Principal
from app.services import idempotency
from app.services.idempotency import KeyedRequest
from app.services.platform import Platform

Made = tuple[int, BaseModel | dict[str, Any]]
"""The status and the body of an answer."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="any text of visible ASCII that is new for each new request: sent again with the same key, a "
        "request takes effect once and gets the first answer, for a day",
    ),
]


class Idempotent:
    """Answers a request once. `body_sha256` is None where the body is a stream the route reads itself."""

    def __init__(
        self, request: Request, platform: Platform, principal: Principal, key: str | None, body: bytes | None
    ) -> None:
        self._request, self._platform, self._principal, self._key = request, platform, principal, key
        self._body = body

    def run(
        self,
        make: Callable[[], Made],
        *,
        content: bytes = b"",
        recover: Callable[[list[str]], Made | None] | None = None,
        repeatable_after: timedelta | None = None,
    ) -> JSONResponse:
        """Answer with what `make` gives, or what it gave before for this key.

        `content` stands for the body where that was streamed: its hash and the form's other fields. `recover` makes
        the answer of a request whose process died after it had changed these resources (`task:ID`). Without such an
        answer, a request that may be made again is, `repeatable_after` the first: as long as it can take.
        """
        if self._key is None:
            return _response(_plain(make()))
        request = KeyedRequest(
            owner=self._principal.username,
            key=self._key,
            sha256=self._digest(content),
            request_id=request_id_of(self._request),
        )
        answer, repeated = idempotency.answer_once(
            self._platform,
            request,
            lambda: _plain(make()),
            lambda effects: _plain_or_none(recover(effects) if recover else None),
            repeatable_after=repeatable_after,
        )
        return _response(answer, repeated)

    def _digest(self, content: bytes) -> str:
        url = self._request.url
        parts = (self._request.method.encode(), url.path.encode(), url.query.encode(), self._body or b"", content)
        asked = b"idempotency 1\n" + b"".join(len(part).to_bytes(8) + part for part in parts)
        # With a key, since a body may hold a password: the plain hash of it would be quick to guess from.
        return hmac.new(self._platform.secrets.audit_key, asked, hashlib.sha256).hexdigest()


async def idempotent(
    request: Request, platform: PlatformDep, principal: CurrentUser, key: IdempotencyKey = None
) -> Idempotent:
    """What a route that creates something answers with."""
    is_form = request.headers.get("content-type", "").lower().startswith("multipart/")
    return Idempotent(request, platform, principal, key, None if is_form else await request.body())


IdempotentDep = Annotated[Idempotent, Depends(idempotent)]


def _plain(made: Made) -> tuple[int, dict[str, Any]]:
    status, body = made
    return status, body.model_dump(mode="json") if isinstance(body, BaseModel) else body


def _plain_or_none(made: Made | None) -> tuple[int, dict[str, Any]] | None:
    return None if made is None else _plain(made)


def _response(answer: tuple[int, dict[str, Any]], repeated: bool = False) -> JSONResponse:
    status, body = answer
    return JSONResponse(body, status_code=status, headers={"Idempotency-Replayed": "true"} if repeated else None)

"""Answers that are polled: a client that has the newest state already gets 304 and no body."""

import hashlib
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Not Modified: the state is still the one of the ETag in `If-None-Match`"}
}
"""For the `responses` of a route that answers with `tagged`."""


def tagged(request: Request, body: BaseModel) -> Response:
    """`body` as JSON with its ETag, or 304 where `If-None-Match` names that ETag already."""
    content = body.model_dump_json().encode()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if _names(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


def _names(header: str, etag: str) -> bool:
    """Whether an `If-None-Match` header names an ETag; the weak comparison of RFC 9110, section 13.1.2."""
    candidates = (part.strip().removeprefix("W/") for part in header.split(","))
    return header.strip() == "*" or etag in candidates

"""Files sent as attachments, whole or in the parts `Range` asks for."""

from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from app.api.errors import problem
from app.services.artifacts import Download

BINARY = "application/octet-stream"
PARTIAL: dict[int | str, dict[str, Any]] = {
    206: {
        "description": "Partial Content: the bytes that `Range` asks for",
        "content": {BINARY: {"schema": {"type": "string", "format": "binary"}}},
    }
}
"""For the `responses` of a route that answers with `FileDownload`, beside the problems 400 and 416."""


def binary(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: what it sends."""
    schema = {"type": "string", "format": "binary"}
    return {200: {"description": description, "content": {media_type: {"schema": schema}}}}


def attachment(name: str) -> dict[str, str]:
    """A browser saves it under this name and shows nothing of it."""
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}


class FileDownload(FileResponse):
    """A file with its hash as ETag, so that a download that broke can go on; a wrong `Range` is a problem like any."""

    def __init__(self, download: Download, name: str | None = None, media_type: str = BINARY) -> None:
        headers = {
            **attachment(name or download.name),
            "ETag": f'"{download.sha256}"',
            "X-Content-SHA256": download.sha256,
            "Cache-Control": "private, no-cache",
        }
        super().__init__(download.path, media_type=media_type, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file; the plain text the base class refuses a range with is replaced."""
        refused: list[Message] = []

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (400, 416):
                refused.append(message)
            if not refused:
                await send(message)

        await super().__call__(scope, receive, answer)
        if refused:
            status = refused[0]["status"]
            size = dict(refused[0]["headers"]).get(b"content-range")
            detail = f"Range is not one this file has: {dict(scope['headers'])[b'range'].decode('latin-1')[:200]!r}"
            headers = {"Content-Range": size.decode("latin-1")} if size else None
            response = problem(Request(scope), status, "request.bad_range", detail, headers=headers)
            await response(scope, receive, send)

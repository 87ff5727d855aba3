"""The language that the page of Streamlit says it is in: that of its words, for those who have it read to them."""

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.ui.gate import LANGUAGE_COOKIE
from app.ui.words import language_of

_NOT_PAGES = ("/media/", "/component/", "/static/", "/_stcore/")
_CONDITIONS = (b"if-none-match", b"if-modified-since", b"range", b"if-range", b"accept-encoding")
"""A copy that the browser has may be in another language; what is compressed cannot be written into."""
_SAYS = b'<html lang="en"'


class PageLanguage:
    """Writes the reader's language into each page that a browser opens."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer back as it came unless it is a page."""
        is_page = scope["type"] == "http" and scope["method"] == "GET" and not scope["path"].startswith(_NOT_PAGES)
        if not is_page or "text/html" not in (asked := HTTPConnection(scope)).headers.get("accept", ""):
            await self._app(scope, receive, send)
            return
        language = language_of(asked.cookies.get(LANGUAGE_COOKIE), asked.headers.get("accept-language", ""))
        kept = [(name, value) for name, value in scope["headers"] if name.lower() not in _CONDITIONS]
        await self._app({**scope, "headers": kept}, receive, _written_into(send, language.replace("_", "-")))


def _written_into(send: Send, tag: str) -> Send:
    start: Message | None = None
    body = b""

    async def answer(message: Message) -> None:
        nonlocal start, body
        if message["type"] == "http.response.start":
            if message["status"] == 200 and MutableHeaders(scope=message).get("content-type", "").startswith(
                "text/html"
            ):
                start = message
            else:
                await send(message)
        elif start is None:
            await send(message)
        else:
            body += message.get("body", b"")
            if not message.get("more_body", False):
                page = body.replace(_SAYS, f'<html lang="{tag}"'.encode(), 1)
                await send(_start(start, len(page)))
                await send({"type": "http.response.body", "body": page})

    return answer


def _start(message: Message, num_bytes: int) -> Message:
    headers = MutableHeaders(scope=message)
    headers["Content-Length"] = str(num_bytes)
    for stale in ("ETag", "Last-Modified", "Accept-Ranges"):
        if stale in headers:
            del headers[stale]
    headers.add_vary_header("Accept-Language")
    headers.add_vary_header("Cookie")
    return message

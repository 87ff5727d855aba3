"""What every request to the interface passes: nobody gets a page, a socket or an upload without a sign-in.

Answers carry headers that keep browsers careful; a request that another site makes a browser send is refused.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote, urlsplit

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.addresses import origin
from app.ui.sessions import Sessions

COOKIE = "finetune_session"
LANGUAGE_COOKIE = "finetune_language"
SIGN_IN = "/sign-in"
_PUBLIC = (SIGN_IN, "/sign-out", "/setup", "/language/", "/static/", "/favicon.png", "/_stcore/health", "/healthz")
_HARMLESS = ("GET", "HEAD", "OPTIONS")
_CONTENT = (
    "default-src 'self'; script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval' {scripts}; "
    "style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' {socket}; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""Streamlit draws plots from expressions it compiles, and sets styles in place; `scripts` are those in its own page."""
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


class Gate:
    """Lets through who is signed in; `allowed_hosts` are the names the interface is known by.

    `trusted_proxies` are those in front of it whose X-Forwarded-For is believed. The address a request comes from is
    put into its scope as the client's.
    """

    def __init__(
        self, app: ASGIApp, sessions: Sessions, allowed_hosts: Sequence[str], trusted_proxies: tuple[str, ...] = ()
    ) -> None:
        self._app, self._sessions = app, sessions
        self._trusted = trusted_proxies
        self._hosts = {name.lower() for name in allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, lead it to the sign-in, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        peer = scope.get("client") or (None, 0)
        address = origin(peer[0], connection.headers.getlist("x-forwarded-for"), self._trusted)
        scope["client"] = (address, peer[1]) if address else None
        reason = self._refusal(connection, scope)
        if reason:
            await _refuse(scope, receive, send, 403, reason)
        elif self._may_pass(connection, scope):
            await self._app(scope, receive, _with_headers(send, scope, connection.headers))
        elif (
            scope["type"] == "http" and scope["method"] == "GET" and "text/html" in connection.headers.get("accept", "")
        ):
            target = quote(scope["path"] + (f"?{connection.url.query}" if connection.url.query else ""))
            answer = RedirectResponse(f"{SIGN_IN}?next={target}", 303, {"Cache-Control": "no-store"})
            await answer(scope, receive, send)
        else:
            await _refuse(scope, receive, send, 401, "sign in first")

    def _refusal(self, connection: HTTPConnection, scope: Scope) -> str:
        host = connection.headers.get("host", "").lower()
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if "*" not in self._hosts and name not in self._hosts:
            return "this name is not served; ALLOWED_HOSTS lists those that are"
        origin = connection.headers.get("origin")
        changes = scope["type"] == "websocket" or scope["method"] not in _HARMLESS
        if changes and origin is not None and urlsplit(origin).netloc.lower() != host:
            return "this request comes from another site"
        return ""

    def _may_pass(self, connection: HTTPConnection, scope: Scope) -> bool:
        path = scope["path"]
        if any(path == one or (one.endswith("/") and path.startswith(one)) for one in _PUBLIC):
            return True
        session_id = connection.cookies.get(COOKIE)
        if not session_id or self._sessions.find(session_id) is None:
            return False
        self._sessions.seen(session_id, scope["client"][0] if scope["client"] else None)
        return True


def _with_headers(send: Send, scope: Scope, asked: Headers) -> Send:
    socket = f"{'wss' if scope.get('scheme') in ('https', 'wss') else 'ws'}://{asked.get('host', '')}"

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Content-Security-Policy", _CONTENT.format(socket=socket, scripts=_own_scripts()))
            headers["X-Content-Type-Options"] = "nosniff"
            headers["X-Frame-Options"] = "DENY"
            headers["Referrer-Policy"] = "same-origin"
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
        await send(message)

    return answer


@lru_cache
def _own_scripts() -> str:
    """The hashes of the scripts that stand in Streamlit's page."""
    page = Path(streamlit.__file__).with_name("static") / "index.html"
    found = _INLINE_SCRIPT.findall(page.read_text(encoding="utf-8"))
    return " ".join(f"'sha256-{b64encode(sha256(one.encode()).digest()).decode()}'" for one in found)


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, reason: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": reason})
        return
    await PlainTextResponse(reason, status)(scope, receive, send)

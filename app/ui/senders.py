"""Who may send a file, and how many at once: asked before a byte of it is taken."""

from collections import Counter

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.domain.errors import PlatformError, Unauthenticated
from app.ui.gate import COOKIE
from app.ui.sessions import Sessions
from app.ui.uploads import PLACE, TooMuch, words_of
from app.ui.words import N_

MAX_AT_ONCE = 2
"""Of one sign-in."""
NEEDED = frozenset({"dataset:write", "train"})
"""One of these: files become data sets, or are labelled by a model."""


class Senders:
    """Middleware that refuses files of whoever could do nothing with them, or has enough of them on their way."""

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app, self._sessions = app, sessions
        self._under_way: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on but such files."""
        if scope["type"] != "http" or scope["method"] != "PUT" or not PLACE.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        session_id = HTTPConnection(scope).cookies.get(COOKIE, "")
        try:
            if self._under_way[session_id] >= MAX_AT_ONCE:
                raise TooMuch(429, N_("two files of yours are on their way; send this one when they have arrived"))
            self._under_way[session_id] += 1
            try:
                await self._check(session_id)
                await self._app(scope, receive, send)
            finally:
                self._under_way[session_id] -= 1
                self._under_way += Counter()  # without those that are at none
        except TooMuch as refused:
            await PlainTextResponse(words_of(scope).told(refused.sentence), refused.status)(scope, receive, send)

    async def _check(self, session_id: str) -> None:
        try:
            held = await run_in_threadpool(self._sessions.permissions, session_id)
        except Unauthenticated as error:
            raise TooMuch(401, N_("your sign-in has ended; sign in again, then send the file")) from error
        except PlatformError as error:
            raise TooMuch(503, N_("the platform does not answer; send the file again in a moment")) from error
        if not NEEDED & held:
            raise TooMuch(403, N_("this account may not send files; ask an administrator of this installation"))

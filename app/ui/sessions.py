"""Who is signed in through which browser: a random id in a cookie that no script can read stands for tokens kept here.

The tokens lie in files that only their owner reads, one a sign-in, so that a restart signs nobody out; the file's name
is a hash of the id, so that reading the folder gives nobody a cookie.
"""

import contextlib
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ValidationError

from app.client.client import Client
from app.client.credentials import Tokens
from app.client.forwarding import Forwarding
from app.client.retrying import Retrying
from app.client.sign_in import Renew, WithTokens
from app.domain.errors import PlatformError, Unauthenticated

SECONDS_KEPT = 30 * 86_400
"""As long as the server lets a sign-in be renewed."""
SECONDS_OPEN = 12 * 3600.0
"""So long a client waits for its next use; pages that look again and again use theirs."""
SECONDS_BELIEVED = 60.0
"""So long the permissions of an account are not asked for again."""

PATIENCE = Retrying(attempts=2, patience_seconds=1.0)
"""Somebody looks at the page that waits; it says so and tries again by itself."""


class _Kept(BaseModel):
    """One file; `began` in Unix seconds."""

    username: str
    tokens: Tokens
    began: float


@dataclass(frozen=True)
class BrowserSession:
    """A sign-in through a browser, and the client that speaks for it."""

    username: str
    client: Client


class _SignIn(WithTokens):
    """The tokens of a browser, which new ones can take the place of; `used` is when they were asked for last.

    `used` is of the monotonic clock, `began` in Unix seconds, `address` where the browser is. `held` are the
    permissions of the account, to be believed until `held_until` of the monotonic clock.
    """

    def __init__(self, username: str, tokens: Tokens, began: float, write: Callable[[_Kept], None]) -> None:
        super().__init__(tokens, self._keep)
        self.username, self.began, self._write = username, began, write
        self.used, self.address = time.monotonic(), ""
        self.held: frozenset[str] = frozenset()
        self.held_until = -1.0
        self._keep(tokens)

    def bearer(self, renew: Renew) -> str | None:
        """The access token."""
        self.used = time.monotonic()
        return super().bearer(renew)

    def become(self, tokens: Tokens) -> Tokens:
        """Go on with the tokens of a new sign-in of the same account; those there were."""
        with self._lock:
            before, self._tokens, self.began = self._tokens, tokens, time.time()
            self._keep(tokens)
        return before

    def is_over(self) -> bool:
        """Whether nobody needs a client for it any more."""
        return time.monotonic() - self.used > SECONDS_OPEN or time.time() > self.began + SECONDS_KEPT

    def _keep(self, newest: Tokens) -> None:
        self._write(_Kept(username=self.username, tokens=newest, began=self.began))


class Sessions:
    """All sign-ins of this interface, safe to share among threads."""

    def __init__(self, folder: Path, server: str, proxy_secret: str | None = None) -> None:
        self._folder, self._server, self._proxy_secret = folder, server, proxy_secret or ""
        self._lock = threading.Lock()
        self._open: dict[str, tuple[BrowserSession, _SignIn]] = {}

    def stranger(self, address: str | None) -> Client:
        """A client for somebody at `address` who is not signed in yet."""
        return Client(self._server, retrying=PATIENCE, forwarding=Forwarding(self._proxy_secret, lambda: address))

    def seen(self, session_id: str, address: str | None) -> None:
        """The sign-in is used from `address` now."""
        with self._lock:
            known = self._open.get(_key(session_id))
            if known is not None and address is not None:
                known[1].address = address

    def begin(self, username: str, tokens: Tokens, before: str | None) -> str:
        """Keep the tokens of a new sign-in; the id for the browser's cookie.

        `before` is the id the browser had. Where it stands for the same account it goes on with the new tokens, so that
        pages that are open there go on too; where it stands for another, it is forgotten. The sign-in that was there
        ends on the server.
        """
        self._forget_old()
        known = self._at_work(before)
        if before and known is not None:
            earlier = known[1]
            if earlier.username == username:
                self._end_on_server(earlier.become(tokens), earlier.address)
                return before
            self.end(before)
            self._end_on_server(earlier.tokens, earlier.address)
        session_id = secrets.token_urlsafe(32)
        with self._lock:
            self._open[_key(session_id)] = self._opened(_key(session_id), username, tokens, time.time())
        return session_id

    def find(self, session_id: str | None) -> BrowserSession | None:
        """The sign-in an id stands for; None where it stands for none."""
        known = self._at_work(session_id)
        return known[0] if known is not None else None

    def _at_work(self, session_id: str | None) -> tuple[BrowserSession, _SignIn] | None:
        if not session_id:
            return None
        key = _key(session_id)
        with self._lock:
            if key not in self._open and (kept := self._read(key)):
                self._open[key] = self._opened(key, kept.username, kept.tokens, kept.began)
            known = self._open.get(key)
            if known is not None:
                known[1].used = time.monotonic()
            return known

    def permissions(self, session_id: str) -> frozenset[str]:
        """What the account may do; Unauthenticated where the sign-in has ended. Asked anew after a while."""
        known = self._at_work(session_id)
        if known is None:
            raise Unauthenticated("you are signed out")
        session, sign_in = known
        if time.monotonic() > sign_in.held_until:
            sign_in.held = frozenset(session.client.me.show().permissions)
            sign_in.held_until = time.monotonic() + SECONDS_BELIEVED
        return sign_in.held

    def end(self, session_id: str | None) -> None:
        """Forget a sign-in; ending it on the server is the caller's."""
        if session_id:
            key = _key(session_id)
            with self._lock:
                self._drop(key)
                self._path(key).unlink(missing_ok=True)

    def close(self) -> None:
        """Give the sockets back; the sign-ins stay."""
        with self._lock:
            for key in [*self._open]:
                self._drop(key)

    def _drop(self, key: str) -> None:
        known = self._open.pop(key, None)
        if known is not None:
            known[0].client.close()

    def _opened(self, key: str, username: str, tokens: Tokens, began: float) -> tuple[BrowserSession, _SignIn]:
        sign_in = _SignIn(username, tokens, began, partial(self._write, key))
        forwarding = Forwarding(self._proxy_secret, lambda: sign_in.address or None)
        client = Client(self._server, sign_in, retrying=PATIENCE, forwarding=forwarding)
        return BrowserSession(username, client), sign_in

    def _end_on_server(self, tokens: Tokens, address: str) -> None:
        forwarding = Forwarding(self._proxy_secret, lambda: address or None)
        client = Client(self._server, WithTokens(tokens), retrying=Retrying(attempts=1), forwarding=forwarding)
        # Where it does not work, the tokens are forgotten here all the same, and end by themselves.
        with client, contextlib.suppress(PlatformError):
            client.sign_out()

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"

    def _read(self, key: str) -> _Kept | None:
        try:
            kept = _Kept.model_validate_json(self._path(key).read_bytes())
        except (OSError, ValidationError):
            return None
        return kept if time.time() < kept.began + SECONDS_KEPT else None

    def _write(self, key: str, kept: _Kept) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(key)
        new = path.with_suffix(f".{secrets.token_hex(4)}.new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(kept.model_dump_json())
        new.replace(path)

    def _forget_old(self) -> None:
        """What has been over for long, and clients that nobody has needed for long; `find` opens those again."""
        with self._lock:
            for key in [key for key, (_, sign_in) in self._open.items() if sign_in.is_over()]:
                self._drop(key)
        for path in self._folder.glob("*.json"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - SECONDS_KEPT:
                    path.unlink()


def _key(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()

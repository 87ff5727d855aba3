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
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from app.client.client import Client
from app.client.credentials import Tokens
from app.client.forwarding import Forwarding
from app.client.retrying import Retrying
from app.client.sign_in import WithTokens

SECONDS_KEPT = 30 * 86_400
"""As long as the server lets a sign-in be renewed."""


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


class Sessions:
    """All sign-ins of this interface, safe to share among threads."""

    def __init__(self, folder: Path, server: str, proxy_secret: str | None = None) -> None:
        self._folder, self._server, self._proxy_secret = folder, server, proxy_secret or ""
        self._lock = threading.Lock()
        self._open: dict[str, BrowserSession] = {}
        self._addresses: dict[str, str] = {}

    def stranger(self, address: str | None) -> Client:
        """A client for somebody at `address` who is not signed in yet."""
        forwarding = Forwarding(self._proxy_secret, lambda: address)
        return Client(self._server, retrying=PATIENCE, forwarding=forwarding)

    def seen(self, session_id: str, address: str | None) -> None:
        """The sign-in is used from `address` now."""
        if address is not None:
            self._addresses[_key(session_id)] = address

    def begin(self, username: str, tokens: Tokens, before: str | None) -> str:
        """Keep the tokens of a new sign-in; the id for the browser's cookie.

        `before` is the id the browser had. Where it stands for the same account it goes on, so that pages that are
        open there go on too; where it stands for another, that sign-in is forgotten.
        """
        self._forget_old()
        known = self.find(before) if before else None
        if before and known and known.username == username:
            session_id = before
        else:
            self.end(before)
            session_id = secrets.token_urlsafe(32)
        key = _key(session_id)
        with self._lock:
            self._drop(key)
            self._open[key] = self._opened(key, username, tokens, time.time())
        return session_id

    def find(self, session_id: str | None) -> BrowserSession | None:
        """The sign-in an id stands for; None where it stands for none."""
        if not session_id:
            return None
        key = _key(session_id)
        with self._lock:
            if key not in self._open and (kept := self._read(key)):
                self._open[key] = self._opened(key, kept.username, kept.tokens, kept.began)
            return self._open.get(key)

    def end(self, session_id: str | None) -> None:
        """Forget a sign-in; ending it on the server is the caller's."""
        if session_id:
            key = _key(session_id)
            with self._lock:
                self._drop(key)
                self._addresses.pop(key, None)
                self._path(key).unlink(missing_ok=True)

    def close(self) -> None:
        """Give the sockets back; the sign-ins stay."""
        with self._lock:
            for key in [*self._open]:
                self._drop(key)

    def _drop(self, key: str) -> None:
        session = self._open.pop(key, None)
        if session is not None:
            session.client.close()

    def _opened(self, key: str, username: str, tokens: Tokens, began: float) -> BrowserSession:
        def keep(newest: Tokens) -> None:
            self._write(key, _Kept(username=username, tokens=newest, began=began))

        keep(tokens)
        forwarding = Forwarding(self._proxy_secret, lambda: self._addresses.get(key))
        client = Client(self._server, WithTokens(tokens, keep), retrying=PATIENCE, forwarding=forwarding)
        return BrowserSession(username, client)

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
        for path in self._folder.glob("*.json"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - SECONDS_KEPT:
                    path.unlink()


def _key(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()

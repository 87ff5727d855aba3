"""Who asks, as the connection sees it: the header to send, and how an access token that has run out is renewed.

A refresh token works once, and using an old one again ends the sign-in; so of many threads, and of many processes that
share the file, one renews and the others take what it got.
"""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from pydantic import SecretStr

from app.client.credentials import CredentialFile, Entry, Tokens
from app.domain.errors import Unauthenticated
from app.domain.wording import say

SECONDS_EARLY = 20.0
"""So long before its end an access token is renewed: it must hold while a request travels."""

Renew = Callable[[str], Tokens]
"""Asks the server for new tokens with a refresh token."""


class SignIn(Protocol):
    """What a connection needs of whoever asks."""

    def bearer(self, renew: Renew) -> str | None:
        """The token to send; one that is about to run out is renewed first. None sends none."""

    def renewed(self, used: str, renew: Renew) -> bool:
        """After the server refused `used`: whether there is another token to try."""


class Nobody:
    """No sign-in: for what is public."""

    def bearer(self, renew: Renew) -> str | None:
        """None."""
        return None

    def renewed(self, used: str, renew: Renew) -> bool:
        """Never."""
        return False


class WithApiKey:
    """A program's long-lived key; nothing renews it."""

    def __init__(self, api_key: SecretStr) -> None:
        self._api_key = api_key

    def bearer(self, renew: Renew) -> str | None:
        """The key."""
        return self._api_key.get_secret_value()

    def renewed(self, used: str, renew: Renew) -> bool:
        """Never: a key that is refused is revoked or has run out."""
        return False


class WithTokens:
    """A sign-in in memory; `changed` hears of new tokens."""

    def __init__(self, tokens: Tokens, changed: Callable[[Tokens], None] = lambda _tokens: None) -> None:
        self._tokens, self._changed = tokens, changed
        self._lock = threading.Lock()

    @property
    def tokens(self) -> Tokens:
        """The newest tokens."""
        return self._tokens

    def bearer(self, renew: Renew) -> str | None:
        """The access token, renewed where it is about to run out."""
        used = self._tokens
        if time.time() > used.expires_at - SECONDS_EARLY:
            self._renew(used.access_token.get_secret_value(), renew)
        return self._tokens.access_token.get_secret_value()

    def renewed(self, used: str, renew: Renew) -> bool:
        """Renew, unless another thread did meanwhile; Unauthenticated where the sign-in has ended."""
        self._renew(used, renew)
        return True

    def _renew(self, used: str, renew: Renew) -> None:
        with self._lock:
            if self._tokens.access_token.get_secret_value() == used:
                self._exchange(used, renew)

    def _exchange(self, used: str, renew: Renew) -> None:
        self._tokens = renew(self._tokens.refresh_token.get_secret_value())
        self._changed(self._tokens)


class WithFile(WithTokens):
    """A sign-in that `finetune login` keeps in a file which several processes share."""

    def __init__(self, file: CredentialFile, server: str, entry: Entry, tokens: Tokens) -> None:
        super().__init__(tokens)
        self._file, self._server, self._entry = file, server, entry

    def _exchange(self, used: str, renew: Renew) -> None:
        with self._file.locked():
            kept = self._file.get(self._server)
            if kept is None or kept.tokens is None or kept.username != self._entry.username:
                raise Unauthenticated(
                    say("you are signed out of {server}", server=self._server), hint=how_to_sign_in(self._server)
                )
            if kept.tokens.access_token.get_secret_value() != used:
                self._tokens = kept.tokens
                return
            self._tokens = renew(kept.tokens.refresh_token.get_secret_value())
            self._file.replace_in_lock(self._server, kept.model_copy(update={"tokens": self._tokens}))


def how_to_sign_in(server: str) -> str:
    """The hint that belongs to every missing sign-in."""
    return f"sign in: finetune login --server {server}"


def sign_in_of(file: CredentialFile, server: str) -> tuple[SignIn, Entry]:
    """What is kept for a server; Unauthenticated where nothing is."""
    entry = file.get(server)
    if entry is not None and entry.api_key is not None:
        return WithApiKey(entry.api_key), entry
    if entry is not None and entry.tokens is not None:
        return WithFile(file, server, entry, entry.tokens), entry
    raise Unauthenticated(say("you are not signed in to {server}", server=server), hint=how_to_sign_in(server))

"""Credentials that are random text: API keys (`ft_PREFIX_SECRET`) and refresh tokens (`SESSION.SECRET`).

Both have so much chance in them that a plain sha256 of the whole is safe to store. Pure: no database, no files.
"""

import hashlib
import hmac
import re
import secrets

_API_KEY = re.compile(r"ft_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_REFRESH_TOKEN = re.compile(r"([0-9a-f]{32})\.[A-Za-z0-9_-]{43}")
API_KEY_START = "ft_"


def new_api_key() -> tuple[str, str]:
    """A new key, shown once, and its prefix: the part that may be seen, and by which the key is found."""
    prefix = secrets.token_hex(6)
    return f"{API_KEY_START}{prefix}_{secrets.token_urlsafe(32)}", prefix


def prefix_of(key: str) -> str | None:
    """The public part of an API key; None for what has not its form."""
    found = _API_KEY.fullmatch(key)
    return found[1] if found else None


def new_refresh_token(session_id: str) -> str:
    """A new refresh token of a sign-in."""
    return f"{session_id}.{secrets.token_urlsafe(32)}"


def session_of(refresh_token: str) -> str | None:
    """The sign-in a refresh token belongs to; None for what has not its form."""
    found = _REFRESH_TOKEN.fullmatch(refresh_token)
    return found[1] if found else None


def digest(credential: str) -> str:
    """What is stored of a credential: its sha256 in hexadecimal."""
    return hashlib.sha256(credential.encode()).hexdigest()


def matches(credential: str, stored: str) -> bool:
    """Whether a credential is the stored one; takes as long for a wrong one."""
    return hmac.compare_digest(digest(credential), stored)

"""Who asks: the person (or program) behind a request, and where the request came from."""

import re
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

USERNAME_PATTERN = r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$"
MAX_PASSWORD_CHARACTERS = 1024
EVERYONE = "*"
"""The grantee of what is shared with every account of the installation."""


def is_username(text: str) -> bool:
    """Whether an account may have this name."""
    return re.fullmatch(USERNAME_PATTERN, text) is not None


class Role(StrEnum):
    """What an account may do in general; what it may do with one object depends on whose it is."""

    ADMIN = "admin"
    USER = "user"
    VIEWER = "viewer"


class Principal(BaseModel):
    """An authenticated account; `session_id` is that of a sign-in, `api_key_id` that of an API key."""

    model_config = ConfigDict(frozen=True)

    user_id: int
    username: str
    role: Role
    via: Literal["token", "api_key"]
    session_id: str | None = None
    api_key_id: int | None = None

    @property
    def is_admin(self) -> bool:
        """Whether this account administers the installation."""
        return self.role is Role.ADMIN


class Caller(BaseModel):
    """What services and the audit log need to know of a request: who (None before sign-in), from where, which one.

    `local_user` is the operating system's user on the command line, where there is no account.
    """

    model_config = ConfigDict(frozen=True)

    principal: Principal | None = None
    ip: str | None = None
    request_id: str = ""
    local_user: str | None = None

    @property
    def account(self) -> Principal:
        """Who asks, where somebody has to be signed in to ask at all."""
        assert self.principal is not None, "the route asks for a sign-in"
        return self.principal

    @property
    def actor(self) -> str:
        """The name the audit log has: an account, `local:NAME` for the command line, `anonymous` before sign-in."""
        if self.principal is not None:
            return self.principal.username
        return f"local:{self.local_user}" if self.local_user else "anonymous"

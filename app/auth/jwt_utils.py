"""Access tokens: short-lived JWTs signed with one pinned algorithm. Pure: no database, no files.

A token says who and which sign-in, never what they may do: role and revocation are read from the database each time.
"""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.domain.errors import Unauthenticated

ALGORITHM = "HS256"
ISSUER = "finetune-30-days"
AUDIENCE = "finetune-30-days-api"
TYPE = "at+jwt"
"""RFC 9068: no other kind of token passes for an access token."""
LIFETIME = timedelta(minutes=15)
LEEWAY = timedelta(seconds=30)
"""How far the clocks of several machines may differ."""
MAX_CHARACTERS = 2000
REQUIRED = ["exp", "iat", "sub", "iss", "aud", "jti", "sid"]


class AccessClaims(BaseModel):
    """What an access token says; `session_id` is that of the sign-in."""

    model_config = ConfigDict(frozen=True)

    user_id: int = Field(ge=1, le=2**31 - 1)
    session_id: str = Field(pattern=r"^[0-9a-f]{32}$")


def issue_access_token(
    claims: AccessClaims, *, key_id: str, secret: bytes, now: datetime | None = None, lifetime: timedelta = LIFETIME
) -> str:
    """A signed token that is valid for `lifetime` from `now` on."""
    issued_at = now or datetime.now(UTC)
    payload = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(claims.user_id),
        "sid": claims.session_id,
        "iat": int(issued_at.timestamp()),
        "exp": int((issued_at + lifetime).timestamp()),
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode(payload, secret, algorithm=ALGORITHM, headers={"kid": key_id, "typ": TYPE})


def read_access_token(token: str, secret_of: Callable[[str], bytes | None]) -> AccessClaims:
    """What a valid token says. `secret_of` gives the secret of a key id, None for one it does not know.

    Raises Unauthenticated: `auth.token_expired` where the token was valid once, `auth.token_invalid` otherwise; the
    message never says which check failed.
    """
    if len(token) > MAX_CHARACTERS:
        raise _invalid()
    try:
        header = jwt.get_unverified_header(token)
        key_id, kind = header.get("kid"), header.get("typ")
        secret = secret_of(key_id) if isinstance(key_id, str) else None
        if secret is None or kind != TYPE:
            raise _invalid()
        payload = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=LEEWAY,
            options={"require": REQUIRED, "strict_aud": True},
        )
        return AccessClaims(user_id=payload["sub"], session_id=payload["sid"])
    except jwt.ExpiredSignatureError as error:
        raise Unauthenticated(
            "this access token has expired", hint="POST /refresh gives a new one", code="auth.token_expired"
        ) from error
    except (jwt.PyJWTError, ValidationError, ValueError, RecursionError) as error:
        raise _invalid() from error


def _invalid() -> Unauthenticated:
    return Unauthenticated("this is no valid access token", hint="POST /login gives one", code="auth.token_invalid")

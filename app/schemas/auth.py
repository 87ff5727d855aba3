"""Bodies of signing in: what is sent to prove who one is, and the tokens that are given for it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.domain.principal import MAX_PASSWORD_CHARACTERS, USERNAME_PATTERN

_PASSWORD = Field(min_length=1, max_length=MAX_PASSWORD_CHARACTERS, examples=["a quiet river at dusk"])
_TOKEN = Field(min_length=1, max_length=2000)


class LoginRequest(BaseModel):
    """A name and a password, as JSON or as the form of OAuth2's password grant."""

    model_config = ConfigDict(extra="ignore")

    username: str = Field(min_length=1, max_length=256, examples=["ada"])
    password: str = _PASSWORD


class TokenResponse(BaseModel):
    """What a sign-in gives: a short access token, and a refresh token that is good for one renewal."""

    access_token: str = Field(description="sent as `Authorization: Bearer TOKEN`")
    refresh_token: str = Field(description="POST /refresh gives new tokens for it, once; keep it secret")
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 -- a kind of token, not one
    expires_in: int = Field(description="seconds the access token is valid", examples=[900])

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "access_token": "eyJhbGciOiJIUzI1NiIs...",
                    "refresh_token": "2f0c1d...e9.Wm4X...",
                    "token_type": "bearer",
                    "expires_in": 900,
                }
            ]
        }
    )


class RefreshRequest(BaseModel):
    """The newest refresh token of a sign-in; an older one ends the sign-in."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"refresh_token": "the one that /login or /refresh gave last"}]}
    )

    refresh_token: str = _TOKEN


class SetupRequest(BaseModel):
    """The first administrator, made with the code the server printed when it started without accounts."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=1, max_length=200, examples=["3f9a-77c1-0e5b-d2a4-81b6"])
    username: str = Field(pattern=USERNAME_PATTERN, max_length=64, examples=["ada"])
    password: str = _PASSWORD

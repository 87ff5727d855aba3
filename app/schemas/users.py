"""Bodies about accounts: one's own, all of them for administrators, sign-ins and API keys."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from app.domain.principal import MAX_PASSWORD_CHARACTERS, USERNAME_PATTERN, Role

_NEW_PASSWORD = Field(
    min_length=1,
    max_length=MAX_PASSWORD_CHARACTERS,
    examples=["seven lanterns on the quay"],
    description="at least 10 characters; not the user name and none of the most common ones",
)
_COUNT = Field(default=None, ge=0, le=1_000_000, examples=[4])
_BYTES = Field(default=None, ge=0, le=2**62, examples=[50_000_000_000])


class Limits(BaseModel):
    """What an account may use: trainings at once, waiting tasks, stored bytes; null is the installation's default."""

    model_config = ConfigDict(extra="forbid")

    max_running: int | None = _COUNT
    max_queued: int | None = _COUNT
    max_stored_bytes: int | None = _BYTES


class UserView(BaseModel):
    """An account, as administrators see it."""

    username: str = Field(examples=["ada"])
    role: Role
    disabled: bool
    created_at: datetime
    password_changed_at: datetime
    last_login_at: datetime | None
    limits: Limits


class Me(BaseModel):
    """Who asks, what the account may do, and the limits that hold for it."""

    username: str = Field(examples=["ada"])
    role: Role
    permissions: list[str] = Field(examples=[["account", "train", "dataset:read"]])
    created_at: datetime
    password_changed_at: datetime
    last_login_at: datetime | None
    limits: Limits = Field(description="those in effect: the account's own or the installation's")


class CreateUser(BaseModel):
    """A new account."""

    model_config = ConfigDict(extra="forbid")

    username: str = Field(pattern=USERNAME_PATTERN, max_length=64, examples=["ada"])
    password: str = _NEW_PASSWORD
    role: Role = Role.USER


class UpdateUser(BaseModel):
    """What changes about an account; what is left out stays."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"role": "viewer", "limits": {"max_running": 4}}]}
    )

    role: Role | None = None
    disabled: bool | None = None
    limits: Limits | None = Field(default=None, description="keys that are left out stay as they are")


class ResetPassword(BaseModel):
    """A new password from an administrator; every sign-in of the account ends."""

    model_config = ConfigDict(extra="forbid")

    password: str = _NEW_PASSWORD
    revoke_api_keys: bool = Field(default=True, description="end the account's API keys too")


class ChangePassword(BaseModel):
    """A new password for oneself; every other sign-in ends."""

    model_config = ConfigDict(extra="forbid")

    current_password: str = Field(min_length=1, max_length=MAX_PASSWORD_CHARACTERS, examples=["a quiet river at dusk"])
    new_password: str = _NEW_PASSWORD
    revoke_api_keys: bool = Field(default=False, description="end this account's API keys too")


class SessionView(BaseModel):
    """One sign-in that is valid; `current` is the one that asks."""

    id: str = Field(examples=["2f0c1d7b4c0e4b6f9c2a8d3f5e6a7b8c"])
    created_at: datetime
    refreshed_at: datetime
    expires_at: datetime
    ip: str | None
    current: bool


class CreateApiKey(BaseModel):
    """A credential for a program, with all the rights of the account but those over the account itself."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["nightly training"])
    expires_in_days: int | None = Field(default=365, ge=1, le=3650, description="null: it never ends")


class ApiKeyView(BaseModel):
    """An API key that is valid; `prefix` is the part of it that may be seen."""

    id: int
    name: str = Field(examples=["nightly training"])
    prefix: str = Field(examples=["ft_1f0c2d3e4b5a"])
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class ApiKeyCreated(ApiKeyView):
    """A new API key, shown this once."""

    key: str | None = Field(
        description="null where the request is a repeated one: the key was shown in the first answer",
        examples=["ft_1f0c2d3e4b5a_Zm9vYmFyYmF6cXV4cXV1eGZvb2JhcmJhenF1eHF1dXg"],
    )

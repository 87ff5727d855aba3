"""Bodies about sharing: who else may read an experiment or a data set."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from app.domain.principal import EVERYONE


class ShareRequest(BaseModel):
    """Let somebody read."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"grantee": "grace"}, {"grantee": "*"}]})

    grantee: str = Field(
        min_length=1,
        max_length=64,
        description=f"an account's name, or {EVERYONE} for all accounts of the installation",
    )


class ShareView(BaseModel):
    """Who may read, by whose leave and since when."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"grantee": "grace", "created_by": "ada", "created_at": "2026-01-31T12:30:00Z"}]
        }
    )

    grantee: str
    created_by: str
    created_at: datetime

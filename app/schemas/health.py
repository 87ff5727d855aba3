"""Bodies of the questions whether the service lives and can work."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Health(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """All that is needed answers too: the database, its schema, the queue."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"status": "ready", "checks": {"database": "ok", "migrations": "ok", "queue": "ok"}}]
        }
    )

    status: Literal["ready"] = "ready"
    checks: dict[str, Literal["ok"]]

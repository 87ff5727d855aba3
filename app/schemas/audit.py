"""Bodies of the audit log's endpoints."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app.domain.wording import SAID, Sentence, Worded

_ITEM: JsonDict = {
    "id": 4711,
    "time": "2026-01-31T09:30:00.123456Z",
    "actor": "ada",
    "action": "dataset.create",
    "resource": "dataset:reviews",
    "outcome": "success",
    "ip": "192.0.2.17",
    "request_id": "5f0c9c3fd3c14f6f9a4d0b5f8e2a7c61",
    "details": {"rows": 6920},
}
_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


Outcome = Literal["success", "denied", "failed", "started"]


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("there is no such time in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time with its zone."""


class AuditItem(BaseModel):
    """Who did what, on what, from where, in which request, and how it ended."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_ITEM]})

    id: int = Field(description="1 for the first event; no number is left out")
    time: datetime
    actor: str = Field(description="an account, `local:NAME` for the command line, `anonymous` before a sign-in")
    action: str = Field(description="NOUN.VERB")
    resource: str = Field(description="KIND:NAME")
    outcome: Outcome = Field(description="`started` where another event says how it ended")
    ip: str | None
    request_id: str
    details: dict[str, Any]


class AuditFaultView(Worded):
    """Something that is not as it was recorded; `id` is that of the first event it concerns, where it is one."""

    model_config = ConfigDict(from_attributes=True)

    id: int | None
    what: str
    said: dict[str, Sentence] = SAID


class AuditVerification(BaseModel):
    """What a check of the whole log found."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "ok": False,
                    "events": 4711,
                    "checkpoints": 24,
                    "head_hash": _HASH,
                    "first_bad_id": 99,
                    "faults": [{"id": 99, "what": "event 99 was changed: its content does not have its hash"}],
                }
            ]
        },
    )

    ok: bool
    events: int = Field(description="how many are as they were recorded, from the first one on")
    checkpoints: int
    head_hash: str = Field(description="of the last of these events; noted elsewhere, it shows a log that was replaced")
    first_bad_id: int | None
    faults: list[AuditFaultView]
    accepted: list[AuditFaultView] = Field(
        default_factory=list, description="what was wrong when an administrator sealed the log anew"
    )

"""Bodies about mending files on their way in: what is asked for, what was changed, what could be."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MAX_CODES = 50
MAX_CHANGES = 100
MAX_CHANGE_CHARS = 2_000
Code = Annotated[str, StringConstraints(max_length=50)]
Remedy = Literal["fix", "drop", "mask", "allow"]
"""What can be asked for about a finding: in the form, `fix` and `mask` are true, `drop` and `allow` name its code."""

_CHANGE: dict[str, Any] = {
    "row": 7,
    "code": "label_variant",
    "action": "relabel",
    "before": "Positive ",
    "after": "positive",
    "reason": "spelling of the most rows",
}


class FixOptions(BaseModel):
    """How the training file is mended before it is judged; what was sent is never changed itself."""

    fix: bool = Field(
        False, description="mend what needs no decision: repair texts, unite spellings, leave unusable rows out"
    )
    drop: list[Code] = Field(
        [], max_length=MAX_CODES, description="with fix: codes of findings whose rows are left out; repeated"
    )
    mask: bool = Field(False, description="with fix: mask personal data")


class FixChange(BaseModel):
    """One change; `row` is in the file that was sent, from 1. Long texts are cut, personal data is masked."""

    row: int
    code: str
    action: str = Field(description="drop, repair or relabel")
    before: str
    after: str
    reason: str


class FixCount(BaseModel):
    """How many changes of one kind there are."""

    code: str
    action: str
    count: int


class Fixed(BaseModel):
    """What was changed: all counts, and the first changes in file order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "rows_before": 6922,
                    "rows_after": 6922,
                    "counts": [{"code": "label_variant", "action": "relabel", "count": 1}],
                    "changes": [_CHANGE],
                }
            ]
        }
    )

    rows_before: int
    rows_after: int
    counts: list[FixCount]
    changes: list[FixChange] = Field(max_length=MAX_CHANGES)

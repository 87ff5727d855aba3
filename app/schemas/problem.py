"""RFC 9457 problem details: how every service says no."""

from pydantic import ConfigDict, Field

from app.domain.wording import SAID, Sentence, Worded
from app.schemas.datasets import DatasetFinding


class ProblemPlace(Worded):
    """One fault in a request: where, as a JSON pointer (`/training/learning_rate`), and what is wrong there."""

    pointer: str
    detail: str
    said: dict[str, Sentence] = SAID


class Problem(Worded):
    """Problem details with our stable `code`; `detail` is a sentence a person can act on.

    `hint` is the part of `detail` after its last semicolon that says what to do, where there is one; `said.detail` is
    about the part before it.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Not Found",
                    "status": 404,
                    "code": "not_found",
                    "detail": "there is no task 0b6cf0ee-7a3e-4f4e-9f5f-0f8d4c1f3a11; `GET /tasks` lists yours",
                    "request_id": "5f0c9c3fd3c14f6f9a4d0b5f8e2a7c61",
                }
            ]
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    hint: str = ""
    errors: list[ProblemPlace] = Field(default_factory=list)
    findings: list[DatasetFinding] = Field(default_factory=list, description="of `data.blocked`: what is in the file")
    choices: list[str] = Field(
        default_factory=list, description="of `data.ambiguous_columns`: which columns could be it"
    )
    said: dict[str, Sentence] = SAID

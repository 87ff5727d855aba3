"""Bodies of the inference service, and of the API where it passes them on."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.domain.train_config import RUN_NAME_PATTERN

MAX_TEXT_CHARACTERS = 2_000_000
MAX_TRIED_CHARACTERS = 50_000
"""Of one text that is sent to a run by its name; files of longer ones are work for a worker."""
_EXAMPLE = "What a lovely place."


class PredictRequest(BaseModel):
    """One text to classify."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": _EXAMPLE}]})

    text: str = Field(min_length=1, max_length=MAX_TEXT_CHARACTERS, pattern=r"\S")


class RunText(BaseModel):
    """One text for a finished run that one may read."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"run": "reviews-001", "text": _EXAMPLE}]}
    )

    run: str = Field(pattern=RUN_NAME_PATTERN)
    text: str = Field(min_length=1, max_length=MAX_TRIED_CHARACTERS, pattern=r"\S")


class PredictResponse(BaseModel):
    """The first five fields are the answer people rely on; `label` is the integer id, `language` the base model's.

    `truncated` says that the model did not read the end of the text.
    """

    label: int
    probability: float
    latency_ms: float
    base_model: str
    language: str
    label_name: str
    scores: dict[str, float]
    model: str
    truncated: bool


class WordEffect(BaseModel):
    """A word, or a character of a script without spaces, and what it does for the answer.

    It is `text[start:end]` in characters. `effect` is how much the label's probability falls when it is left out:
    above 0 where it speaks for the label, below where it speaks against it.
    """

    text: str
    start: int
    end: int
    effect: float = Field(ge=-1, le=1)


_EFFECT: dict[str, Any] = {"text": "lovely", "start": 7, "end": 13, "effect": 0.41}


class ExplainResponse(BaseModel):
    """An estimate of which words mattered for the most probable label, by leaving out one at a time (occlusion).

    `words` are those that were looked at, in the order of the text: the first `len(words)` of the `num_words` that the
    model reads. Words that only matter together do not show.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "reviews-001",
                    "label": 1,
                    "label_name": "positive",
                    "probability": 0.97,
                    "words": [_EFFECT],
                    "num_words": 4,
                    "truncated": False,
                    "latency_ms": 41.5,
                }
            ]
        }
    )

    model: str
    label: int
    label_name: str
    probability: float
    words: list[WordEffect]
    num_words: int
    truncated: bool
    latency_ms: float


class HealthResponse(BaseModel):
    """The service is up and has a model."""

    status: str
    model: str
    base_model: str


class ShelfResponse(BaseModel):
    """The service is up; `loaded` counts the runs whose models are in memory."""

    status: str
    loaded: int

"""Bodies of the inference service."""

from pydantic import BaseModel, ConfigDict, Field

MAX_TEXT_CHARACTERS = 2_000_000


class PredictRequest(BaseModel):
    """One text to classify."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "What a lovely place."}]})

    text: str = Field(min_length=1, max_length=MAX_TEXT_CHARACTERS, pattern=r"\S")


class PredictResponse(BaseModel):
    """The first five fields are the answer people rely on; `label` is the integer id, `language` the base model's."""

    label: int
    probability: float
    latency_ms: float
    base_model: str
    language: str
    label_name: str
    scores: dict[str, float]
    model: str
    truncated: bool


class HealthResponse(BaseModel):
    """The service is up and has a model."""

    status: str
    model: str
    base_model: str

"""Bodies of batch predictions: what is asked for beside the file, and what comes of it."""

from pydantic import BaseModel, ConfigDict, Field

from app.domain.train_config import RUN_NAME_PATTERN


class PredictForm(BaseModel):
    """What `POST /predictions` takes beside the file."""

    model_config = ConfigDict(extra="forbid")

    run: str = Field(pattern=RUN_NAME_PATTERN, description="a finished run that one may read", examples=["reviews-001"])
    text_column: str = Field(
        "auto", min_length=1, max_length=200, description="the column of the texts: its name, its number, or auto"
    )


class PredictionResult(BaseModel):
    """The `result` of a prediction's task: `labels` counts answers by label, `without_label` rows without a text."""

    run: str
    file: str
    bytes: int
    sha256: str
    rows: int
    without_label: int
    labels: dict[str, int]

"""Labels that are probably wrong, and what a person decided about them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class SuspectedLabel(BaseModel):
    """One row: `row` from 1, header not counted; `confidence` is the probability of the suggested label.

    `learnt` says that the run asked was trained on this text and label. `strong` doubts are at least 20 to 1.
    """

    model_config = ConfigDict(frozen=True)

    row: int
    given: str
    suggested: str
    confidence: float
    given_probability: float
    strong: bool
    learnt: bool = False
    text: str


class LabelDoubts(BaseModel):
    """Suspects of one source, strongest doubt first.

    `judged` of the `rows` with text and label could be judged; `evidence` says by what, `labels` are those to choose
    from.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    sha256: str
    rows: int
    judged: int
    evidence: str
    labels: list[str]
    suspects: list[SuspectedLabel]


class Decision(BaseModel):
    """What becomes of every row with one text and label; `label` is the new one where it is relabelled."""

    model_config = ConfigDict(frozen=True)

    action: Literal["keep", "relabel", "drop"]
    label: str | None = None


class Review(BaseModel):
    """Decisions about one source, by the key of text and label."""

    model_config = ConfigDict(frozen=True)

    source: str
    decisions: dict[str, Decision] = Field(default_factory=dict)

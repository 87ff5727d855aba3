"""What a data set looks like: labels, lengths, scripts, duplicates. Pure values, stored beside a data set version."""

from pydantic import BaseModel, ConfigDict

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)


class LengthSummary(BaseModel):
    """Lengths of some texts: percentile -> length (linear between ranks), and the longest; in the unit of its field."""

    model_config = ConfigDict(frozen=True)

    percentiles: dict[int, float]
    max: int


class ClassProfile(BaseModel):
    """One label: its rows, their share of all rows (0 to 1) and their lengths; tokens only with a tokenizer."""

    model_config = ConfigDict(frozen=True)

    label: str
    rows: int
    share: float
    characters: LengthSummary
    tokens: LengthSummary | None = None


class DataProfile(BaseModel):
    """The profile of one file; `scripts` counts rows, `duplicate_share` is the share of rows seen before, exactly.

    `classes` is from most rows to fewest. `token_rows` is the number of rows whose tokens were counted.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    classes: list[ClassProfile]
    characters: LengthSummary
    tokens: LengthSummary | None = None
    token_rows: int = 0
    scripts: dict[str, int]
    duplicate_share: float

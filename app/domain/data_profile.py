"""What a data set looks like: labels, lengths, scripts, words, repetitions. Pure values, stored beside a version."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

SCHEMA_VERSION = 1
"""Of `DataProfile`; a stored profile of another schema is made anew."""

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)


class LengthSummary(BaseModel):
    """Lengths of some texts, in the unit of its field.

    `percentiles` maps a percentile to a length, linear between ranks. `histogram` counts texts from each of the
    profile's bins for that unit to the next; the last bin is open.
    """

    model_config = ConfigDict(frozen=True)

    percentiles: dict[int, float]
    mean: float
    max: int
    histogram: list[int]


class MarkingWord(BaseModel):
    """A word said more with one label than with the others: how often with it, and the z-score of the log-odds."""

    model_config = ConfigDict(frozen=True)

    word: str
    count: int
    z: float


class ExampleText(BaseModel):
    """The beginning of a text, personal data masked, and its cosine similarity to the other texts of its label."""

    model_config = ConfigDict(frozen=True)

    text: str
    similarity: float


class ClassProfile(BaseModel):
    """One label: its rows, their share of all rows (0 to 1), their lengths, and rows by script.

    `words`, `typical` and `atypical`, strongest first, only for the MAX_DETAILED labels with most rows.
    """

    model_config = ConfigDict(frozen=True)

    label: str
    rows: int
    share: float
    characters: LengthSummary
    tokens: LengthSummary | None = None
    scripts: dict[str, int] = Field(default_factory=dict)
    words: list[MarkingWord] = Field(default_factory=list)
    typical: list[ExampleText] = Field(default_factory=list)
    atypical: list[ExampleText] = Field(default_factory=list)


class Balance(BaseModel):
    """How evenly rows fall on labels.

    `entropy` is Shannon's, divided by that of equal shares: 1 is even, 0 one label alone. `ratio` is that of the most
    to the fewest rows of a label.
    """

    model_config = ConfigDict(frozen=True)

    majority_share: float
    entropy: float
    ratio: float


class WordCount(BaseModel):
    """A word and how often it occurs."""

    model_config = ConfigDict(frozen=True)

    word: str
    count: int


class Vocabulary(BaseModel):
    """The words of a sample of `rows` texts; in scripts without spaces, pairs of neighbouring characters.

    `unit` says which of the two most are. `total` counts occurrences, `size` different words, `hapaxes` those that
    occur once; `new_share` is the share of occurrences in the second half of the rows whose word the first half lacks.
    """

    model_config = ConfigDict(frozen=True)

    unit: str
    rows: int
    total: int
    size: int
    type_token_ratio: float
    hapaxes: int
    new_share: float
    most_frequent: list[WordCount]


class MapPoint(BaseModel):
    """A text on the map: x and y from 0 to 1000, the place of its label in `classes`, and its masked beginning."""

    model_config = ConfigDict(frozen=True)

    x: int
    y: int
    label: int
    text: str


class TextMap(BaseModel):
    """Texts in two dimensions, like ones near each other; `vectors` says what they were compared by."""

    model_config = ConfigDict(frozen=True)

    vectors: str
    points: list[MapPoint]


class ScriptReading(BaseModel):
    """How a base model's tokenizer reads one script, on a sample of its `rows`.

    `unknown_share` of the tokens stand for what the vocabulary lacks; `tokens_per_letter` is the fertility, about 0.25
    for English with an English vocabulary.
    """

    model_config = ConfigDict(frozen=True)

    script: str
    rows: int
    unknown_share: float
    tokens_per_letter: float


class DataProfile(BaseModel):
    """The profile of one file or version.

    `classes` is from most rows to fewest. `scripts` counts rows. `duplicate_share` is the share of rows whose very text
    was seen before, `near_duplicate_share` of those that are nearly equal to an earlier different one. `token_rows` is
    the number of rows whose tokens the tokenizer of `tokens_by` counted. `character_bins` and `token_bins` are the
    lower bounds of the histograms' bins. `examples_by` says by what typical texts were told. `languages` counts a
    sample of `language_rows` rows; `readings` are of the tokenizer of `tokens_by`.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: int = SCHEMA_VERSION
    rows: int
    classes: list[ClassProfile]
    balance: Balance
    characters: LengthSummary
    character_bins: list[int]
    tokens: LengthSummary | None = None
    tokens_by: str | None = None
    token_bins: list[int] = Field(default_factory=list)
    token_rows: int = 0
    scripts: dict[str, int]
    languages: dict[str, int] = Field(default_factory=dict)
    language_rows: int = 0
    readings: list[ScriptReading] = Field(default_factory=list)
    duplicate_share: float
    near_duplicate_share: float
    vocabulary: Vocabulary
    examples_by: str
    map: TextMap | None = None


def read_kept(kept: Mapping[str, Any]) -> DataProfile | None:
    """The profile kept with a version; None where there is none, or one of another schema."""
    if kept.get("schema_version") != SCHEMA_VERSION:
        return None
    try:
        return DataProfile.model_validate(kept)
    except ValidationError:
        return None

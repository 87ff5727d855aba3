"""Which words mattered for an answer: an estimate by occlusion, leaving out one word at a time.

Zeiler and Fergus, Visualizing and Understanding Convolutional Networks (2014), section 4.2, do so with parts of
pictures. Words that matter only together do not show, and what is left is a text nobody would write.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # that module loads torch
    from app.serving.predictor import Prediction

MAX_WORDS = 100
"""Each costs a pass of the model over the whole text."""
ROWS_AT_ONCE = 16
"""Between two of these passes the model may answer somebody else."""
_WITHOUT_SPACES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese: each character is looked at alone."""
_WORD = re.compile(rf"[{_WITHOUT_SPACES}]|[^\W{_WITHOUT_SPACES}]+(?:['’-][^\W{_WITHOUT_SPACES}]+)*|[^\w\s]+")


class Reader(Protocol):
    """The model that gave the answer."""

    def predict(self, texts: Sequence[str]) -> "list[Prediction]":
        """Its answers."""

    def read_part(self, text: str) -> str:
        """The beginning of a text, as far as it reads."""


@dataclass(frozen=True)
class Word:
    """`text[start:end]` and its effect, from -1 to 1: by how much the label's probability falls without it."""

    start: int
    end: int
    effect: float


@dataclass(frozen=True)
class Explanation:
    """An answer, the words that were looked at, and how many there are in the part of the text that was read."""

    answer: "Prediction"
    words: list[Word]
    num_words: int


def words_of(text: str) -> Iterator[tuple[int, int]]:
    """Where words start and end: between spaces, each character of scripts without them, and runs of signs."""
    return (found.span() for found in _WORD.finditer(text))


def explain(model: Reader, text: str, max_words: int = MAX_WORDS) -> Explanation:
    """The answer to `text`, and the effect of each of its first `max_words` words on the label it gives."""
    (answer,) = model.predict([text])
    # Of a text that was cut, words from behind the cut would move in where one is left out.
    read = model.read_part(text) if answer.truncated else text
    spans = list(words_of(read))
    looked_at = spans[:max_words]
    words: list[Word] = []
    for first in range(0, len(looked_at), ROWS_AT_ONCE):
        part = looked_at[first : first + ROWS_AT_ONCE]
        without = model.predict([read[:start] + read[end:] for start, end in part])
        words += [
            Word(start, end, round(answer.probability - other.scores[answer.label_name], 6))
            for (start, end), other in zip(part, without, strict=True)
        ]
    return Explanation(answer, words, len(spans))

"""Sentences of the platform with their numbers and names apart, so that they can be said in another language.

English stands in the code and is what programs and logs get; a reader's own words are found by the pattern (see
`app/ui/words.py`), and its numbers and names filled in there.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from math import isfinite
from numbers import Integral, Real
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Sentence(BaseModel):
    """An English sentence with places in braces, as of `str.format`, and what goes there.

    A value that is a sentence itself, or a list of them, is said in the same language as the whole.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pattern: str
    values: dict[str, "int | float | str | Sentence | list[Sentence]"] = Field(default_factory=dict)


class Said(str):
    """An English sentence, which is a text like any other, and knows what it was made of."""

    _pattern: str
    _values: dict[str, Any]

    @classmethod
    def of(cls, english: str, sentence: Sentence | None) -> "Said":
        """`english` as it came, beside what it was made of; a text that was made of nothing is its own pattern."""
        if sentence is None:
            return cls.made_of(english, english.replace("{", "{{").replace("}", "}}"), {})
        return cls.made_of(english, sentence.pattern, sentence.values)

    @classmethod
    def made_of(cls, english: str, pattern: str, values: Mapping[str, Any]) -> "Said":
        """`english`, which is `pattern` with its places filled in."""
        one = cls(english)
        one._pattern = pattern
        one._values = {name: value if isinstance(value, str | int) else _kept(value) for name, value in values.items()}
        return one

    @property
    def sentence(self) -> Sentence:
        """What it was made of; put together when it is asked for, since rows by the million are spoken of."""
        return Sentence(pattern=self._pattern, values={name: _kept(value) for name, value in self._values.items()})

    @property
    def has_places(self) -> bool:
        """Whether there is anything in it that is filled in."""
        return bool(self._values)


def say(pattern: str, /, **values: Any) -> Said:
    """The English sentence `pattern` with its places filled in; a list of texts is put in with commas between.

    Numbers stay numbers and sentences sentences; whatever else is put in by its `str`.
    """
    lists = {name: ", ".join(value) for name, value in values.items() if isinstance(value, list)}
    return Said.made_of(pattern.format(**(values | lists) if lists else values), pattern, values)


def one_after_another(sentences: Sequence[str]) -> Said:
    """Several sentences in one."""
    first, *others = (one if isinstance(one, Said) else Said.of(one, None) for one in sentences)
    return reduce(lambda one, other: say("{one}; {other}", one=one, other=other), others, first)


def words(pattern: str) -> str:
    """Mark a pattern that `say` fills in elsewhere."""
    return pattern


def _kept(value: Any) -> Any:
    if isinstance(value, Said | Sentence):
        return value.sentence if isinstance(value, Said) else value
    if isinstance(value, list):
        return [_kept(one if isinstance(one, Said | Sentence) else Said.of(str(one), None)) for one in value]
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, Real) and not isinstance(value, bool) and isfinite(value):
        return float(value)
    return str(value).encode(errors="backslashreplace").decode()  # half a character is in no JSON


def made_of(text: str) -> Sentence | None:
    """What a text was made of; None for one without places, which can be found as it stands."""
    return text.sentence if isinstance(text, Said) and text.has_places else None


SAID: Any = Field(
    default_factory=dict,
    exclude_if=lambda said: not said,
    description="by place (`message`, `warnings.0`): what its sentence was made of, to say it in another language; "
    "one without numbers or names in it is not here",
)


class Worded(BaseModel):
    """A record with sentences in it: `said` has what each was made of, by its place (`message`, `reasons.format`).

    Whatever is one declares `said: dict[str, Sentence] = SAID` as its last field, so that people read it last.
    """

    def told(self, place: str) -> Said:
        """The sentence at a place, for a sentence around it."""
        said: Mapping[str, Sentence] = self.__dict__["said"]
        return Said.of(getattr(self, place), said.get(place))

    @model_validator(mode="before")
    @classmethod
    def _keep_what_was_said(cls, given: Any) -> Any:
        """Pydantic makes plain texts of the fields."""
        if not isinstance(given, Mapping):
            return given
        said = dict(given.get("said") or {})
        for name, value in given.items():
            for place, text in _texts(name, value):
                if (sentence := made_of(text)) is not None:
                    said[place] = sentence
                elif isinstance(text, Said):
                    said.pop(place, None)  # of the sentence that was there before
        return {**given, "said": said}


def _texts(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """The texts of a field, each with its place: `message`, `reasons.format`, `warnings.0`."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        yield from ((f"{name}.{key}", text) for key, text in parts if isinstance(text, str))

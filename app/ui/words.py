"""Languages: English stands in the code, the others in catalogues (`locale/*/LC_MESSAGES/*.po`)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel import Locale, negotiate_locale
from babel.dates import format_datetime, format_timedelta, get_timezone
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

from app.domain.wording import Said, Sentence, say

LANGUAGES = {"en": "English", "zh_TW": "繁體中文"}
DEFAULT = "en"
FOLDER = Path(__file__).parent / "locale"
_ALIASES = {"zh": "zh_TW", "zh_HK": "zh_TW", "zh_MO": "zh_TW", "zh_Hant": "zh_TW", "zh_Hant_TW": "zh_TW"}


def N_(text: str) -> str:  # noqa: N802 - what gettext calls it
    """Mark a text that is put into another language later."""
    return text


def best_language(wanted: Sequence[str]) -> str:
    """The language to use for what a browser asks for, its favourite first (`zh-TW`, `en`)."""
    asked = [_ALIASES.get(one, one) for one in (tag.replace("-", "_") for tag in wanted)]
    return negotiate_locale(asked, list(LANGUAGES), sep="_") or DEFAULT


def language_of(chosen: str | None, accepted: str) -> str:
    """The language somebody chose, or the best for a browser's `Accept-Language`."""
    if chosen in LANGUAGES:
        return str(chosen)
    tags = [part.partition(";")[0].strip() for part in accepted.split(",")]
    return best_language([tag for tag in tags if tag])


@lru_cache
def catalogue(language: str) -> dict[str, str]:
    """What a language calls each English text."""
    texts: dict[str, str] = {}
    for path in sorted((FOLDER / language / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as file:
            found = read_po(file, locale=language)
        texts |= {str(message.id): str(message.string) for message in found if message.id and message.string}
    return texts


def _english(sentence: Sentence) -> str:
    """The sentence a program gets."""
    return str(say(sentence.pattern, **{name: _plainly(value) for name, value in sentence.values.items()}))


def _plainly(value: "float | str | Sentence | Sequence[Sentence]") -> Any:
    if isinstance(value, Sentence):
        return _english(value)
    return [_english(one) for one in value] if isinstance(value, list) else value


class Words:
    """Texts, numbers and times in one language; `zone` is the reader's time zone."""

    def __init__(self, language: str, zone: str | None = None) -> None:
        self.language = language if language in LANGUAGES else DEFAULT
        self._texts = catalogue(self.language)
        self._locale = Locale.parse(self.language)
        try:
            self._zone = get_timezone(zone) if zone else UTC
        except LookupError:
            self._zone = UTC

    def __call__(self, text: str, **values: object) -> str:
        """The text in this language, with `{name}` filled in."""
        found = self._texts.get(text, text)
        return found.format(**values) if values else found

    def told(self, english: str, sentence: Sentence | None = None) -> str:
        """A sentence of the platform in this language; as it came where the language has none for it."""
        made = sentence or (english.sentence if isinstance(english, Said) else Said.of(english, None).sentence)
        found = self._texts.get(made.pattern)
        if found is None:
            return english
        try:
            return found.format(**{name: self._filled_in(value) for name, value in made.values.items()})
        except (LookupError, ValueError):
            return english  # of another version, whose sentence has other places

    def knows(self, english: str) -> bool:
        """Whether a sentence of the platform is there in this language."""
        made = english.sentence if isinstance(english, Said) else Said.of(english, None).sentence
        return self.language == DEFAULT or made.pattern in self._texts

    def _filled_in(self, value: "float | str | Sentence | Sequence[Sentence]") -> float | str:
        if isinstance(value, Sentence):
            return self.told(_english(value), value)
        if isinstance(value, str | int | float):
            return value
        return self(", ").join(self.told(_english(one), one) for one in value)

    def number(self, value: float, digits: int = 0) -> str:
        """A number with so many decimal places."""
        return str(format_decimal(round(value, digits), format=f"#,##0.{'0' * digits}", locale=self._locale))

    def percent(self, share: float, digits: int = 1) -> str:
        """A share of 0 to 1 in per cent."""
        return str(format_percent(share, format=f"#,##0.{'0' * digits}%", locale=self._locale))

    def moment(self, when: datetime | None) -> str:
        """Date and time where the reader is."""
        if when is None:
            return "–"
        return str(format_datetime(when, "medium", tzinfo=self._zone, locale=self._locale))

    def ago(self, when: datetime) -> str:
        """How long ago, or how soon."""
        return str(format_timedelta(when - datetime.now(UTC), add_direction=True, locale=self._locale))

    def duration(self, seconds: float) -> str:
        """How long something takes."""
        return str(format_timedelta(timedelta(seconds=max(1, seconds)), threshold=2, locale=self._locale))

    def size(self, number: float) -> str:
        """A number of bytes."""
        for unit in ("B", "kB", "MB", "GB"):
            if number < 1000:
                return f"{self.number(number, 0 if unit == 'B' else 1)} {unit}"
            number /= 1000
        return f"{self.number(number, 1)} TB"

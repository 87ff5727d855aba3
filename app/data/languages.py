"""Which script a text is written in, by counting letters: enough to slice a report, not to tell English from French."""

import re
import unicodedata
from collections import Counter
from functools import lru_cache

OTHER = "Other"
_SCRIPTS = {
    "LATIN": "Latin script",
    "CYRILLIC": "Cyrillic script",
    "ARABIC": "Arabic script",
    "GREEK": "Greek script",
    "HEBREW": "Hebrew script",
    "DEVANAGARI": "Devanagari script",
    "BENGALI": "Bengali script",
    "TAMIL": "Tamil script",
    "TELUGU": "Telugu script",
    "ARMENIAN": "Armenian script",
    "GEORGIAN": "Georgian script",
    "THAI": "Thai script",
    "CJK": "Chinese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
}
IDEOGRAPHIC = ("Chinese", "Japanese", "Korean")
MAX_CHARS = 1000
"""Characters of a text that are looked at."""

_NO_WORDS = re.compile(
    r"(?:https?://|www\.)[\x21-\x7e]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|@\w+"
    r"|\b(?:[\w-]+\.)+(?:com|net|org|io|cn|tw|hk|jp|kr)\b(?:/[\x21-\x7e]*)?|</?[A-Za-z][^<>]{0,300}>",
    re.ASCII,
)
"""Addresses of pages and of people, user names and tags."""

_MARK = re.compile(r"[/@.<]")


@lru_cache(maxsize=65536)
def _script(char: str) -> str:
    if not char.isalpha():
        return ""
    name = unicodedata.name(char, "").removeprefix("FULLWIDTH ").removeprefix("HALFWIDTH ")
    return _SCRIPTS.get(name.split(" ", 1)[0], OTHER)


def is_ideographic(char: str) -> bool:
    """Whether one character stands for about a word or a syllable: Chinese, kana, hangul."""
    return _script(char) in IDEOGRAPHIC


def language_of(text: str) -> str:
    """The script most letters of `text` belong to; kana or hangul among ideographs make it Japanese or Korean.

    Ideographs count twice, since one stands for a word of some letters; addresses of pages and of people, user names
    and tags do not count beside other letters. A text without letters is `Other`.
    """
    head = text[:MAX_CHARS]
    if head.isascii():
        return "Latin script" if any(map(str.isalpha, head)) else OTHER
    counts = Counter(map(_script, _NO_WORDS.sub(" ", head))) if _MARK.search(head) else Counter(map(_script, head))
    del counts[""]
    if not counts:
        counts = Counter(map(_script, head))
        del counts[""]
    for language in ("Japanese", "Korean"):
        if counts[language] * 5 >= counts["Chinese"] and counts[language]:
            counts[language] += counts.pop("Chinese", 0)
    counts["Chinese"] *= 2
    best, count = max(counts.items(), key=lambda item: (item[1], item[0]))
    return best if count else OTHER

"""Which languages texts are in, by a model of letter groups (langid, Lui and Baldwin 2012): a guess for a sample."""

from collections import Counter
from collections.abc import Iterable

MAX_CHARS = 500
OTHER = "other"
MIN_SHARE = 0.01
"""Languages of fewer texts are mostly wrong guesses; they are counted together."""

NAMES = {
    "ar": "Arabic",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "ms": "Malay",
    "nl": "Dutch",
    "no": "Norwegian",
    "nb": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sr": "Serbian",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "wuu": "Chinese",
    "yue": "Chinese",
    "zh": "Chinese",
}


def language_name(text: str) -> str:
    """The English name of the most probable language, else its ISO 639 code; `other` without letters."""
    if not any(map(str.isalpha, text[:MAX_CHARS])):
        return OTHER
    from py3langid import classify

    code: str = classify(text[:MAX_CHARS])[0]
    return NAMES.get(code, code)


def count_languages(texts: Iterable[str]) -> dict[str, int]:
    """Number of texts by language, most first; those below MIN_SHARE are `other`."""
    counts = Counter(map(language_name, texts))
    rare = {name for name, count in counts.items() if count < MIN_SHARE * counts.total()} - {OTHER}
    counts[OTHER] += sum(counts.pop(name) for name in rare)
    return {name: count for name, count in counts.most_common() if count}

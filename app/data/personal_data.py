"""Personal data in texts: e-mail addresses, telephone, payment card and national id numbers, found by their form.

Numbers with a check digit (cards, ids of Taiwan and of the People's Republic of China) count only where it is right.
Names and postal addresses are not looked for.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

_LETTERS = "A-Za-zÀ-ÖØ-öø-\u024f\u0300-\u036f\u0370-\u03ff\u0400-\u052f\u1e00-\u1fff"
"""Of alphabets that e-mail addresses are written in; ideographs stand beside one without a space."""

_EMAIL = re.compile(rf"[{_LETTERS}\d.+_-]{{1,64}}@(?:[{_LETTERS}\d-]{{1,63}}\.){{1,8}}[{_LETTERS}]{{2,24}}", re.ASCII)
_CARD = re.compile(r"(?<![\d.-])[3-6]\d{3}(?:[ -]?\d){9,15}(?![\d.-]?\d)")
_PRC_ID = re.compile(r"(?<!\d)[1-9]\d{5}(?:19|20)\d{9}[\dXx](?!\d)")
_TAIWAN_ID = re.compile(r"(?<![A-Za-z\d])[A-Za-z][1289]\d{8}(?!\d)")
_US_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
_UK_NINO = re.compile(
    r"(?<![A-Za-z\d])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
    r"(?: ?\d{2}){3} ?[A-D](?![A-Za-z\d])",
)
_PHONE = re.compile(
    r"(?<![\w+])(?:"
    r"\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}"  # international
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4}"  # North America
    r"|09\d{2}-?\d{3}-?\d{3}|\(?0[2-8]\)?[ -]?\d{3,4}[ -]\d{4}"  # Taiwan
    r"|1[3-9]\d{9}|0\d{2,3}-\d{7,8}"  # People's Republic of China
    r"|0[5789]0[ -]\d{4}[ -]\d{4}|01[016-9]-\d{3,4}-\d{4}"  # Japan, Korea
    r"|0[1-9](?:(?: \d{2}){4}|(?:\.\d{2}){4}|(?:-\d{2}){4})"  # France
    r"|01[5-7]\d{1,2}(?:[ /-]\d{6,8}|[ /-]\d{3}[ -]\d{4,5})|0\d{2,4}/\d{5,8}"  # Germany
    r"|07\d{3}[ -]\d{3}[ -]?\d{3}|020[ -]\d{4}[ -]\d{4}"  # United Kingdom
    r")(?![\d-])",
    re.ASCII,
)
_CALLED_PHONE = re.compile(
    r"(?:\b(?:tele(?:phone|fon)|t[eé]l(?:[eé]phone)?|phone|fax|mobile?|handy|whatsapp)|电话|電話|手机|手機|[☎☏📞])"
    r"(?:\.| no\.?| nr\.?| number)? ?[:：]? {0,2}(?P<number>(?:\+|\(?0|\d{3})[\d()/ .-]{3,18}\d)(?![\w-])",
    re.IGNORECASE | re.ASCII,
)
"""A number that is said to be one of a telephone, whatever its form."""

PHONE_DIGITS = range(7, 16)
"""How many a telephone number has, from a local one to the longest of E.164."""

_HINT = re.compile(r"[@\d]")


class PersonalDatum(NamedTuple):
    """One find: what it is, and its characters from `start` to `end`."""

    kind: str
    start: int
    end: int


def _digits(text: str) -> list[int]:
    return [int(char) for char in text if char.isdecimal()]


def is_card_number(text: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1, annex B) and the digits are not all alike."""
    digits = _digits(text)
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_prc_id(text: str) -> bool:
    """Whether the check character is right (GB 11643-1999)."""
    remainder = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(text[:17])) % 11
    return text[17].upper() == "10X98765432"[remainder]


def is_taiwan_id(text: str) -> bool:
    """Whether the check digit of an ROC national or resident id is right."""
    area = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(text[0].upper()) + 10
    digits = [area // 10, area % 10, *_digits(text[1:])]
    return sum(d * w for d, w in zip(digits, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), strict=True)) % 10 == 0


_FORMS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("e-mail address", _EMAIL, lambda _: True),
    ("national id", _PRC_ID, is_prc_id),
    ("payment card", _CARD, is_card_number),
    ("national id", _TAIWAN_ID, is_taiwan_id),
    ("national id", _US_SSN, lambda _: True),
    ("national id", _UK_NINO, lambda _: True),
    ("telephone number", _PHONE, lambda _: True),
    ("telephone number", _CALLED_PHONE, lambda number: len(_digits(number)) in PHONE_DIGITS),
)


def find(text: str) -> list[PersonalDatum]:
    """All finds in order, none overlapping another; of two readings of the same digits the stricter form wins."""
    if not _HINT.search(text):
        return []
    found: list[PersonalDatum] = []
    for kind, pattern, is_valid in _FORMS:
        for match in pattern.finditer(text):
            start, end = match.span(match.lastgroup or 0)
            free = all(end <= other.start or start >= other.end for other in found)
            if free and is_valid(text[start:end]):
                found.append(PersonalDatum(kind, start, end))
    return sorted(found, key=lambda datum: datum.start)


def mask(text: str) -> str:
    """`text` with every find reduced to its first and last character."""
    return "".join(_masked_parts(text))


def _masked_parts(text: str) -> Iterator[str]:
    at = 0
    for _, start, end in find(text):
        yield text[at:start]
        yield f"{text[start]}{'*' * (end - start - 2)}{text[end - 1]}"
        at = end
    yield text[at:]

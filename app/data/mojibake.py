"""UTF-8 that was read as Windows-1252 or latin-1: found and read again.

Each byte of a UTF-8 sequence became a character of its own, so `’` shows as `â€™`. Such runs are looked for character
by character; letters that only happen to stand side by side do not make a valid sequence.
"""

import re


def _shown(byte: int) -> str:
    """The character as which a byte shows in Windows-1252, in latin-1 where that has none."""
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


_BYTE_OF = {_shown(byte): byte for byte in range(0x80, 0x100)} | {chr(byte): byte for byte in range(0x80, 0x100)}
_TAIL = "[" + "".join(re.escape(c) for c, byte in _BYTE_OF.items() if byte < 0xC0) + "]"
_TWO = "[" + "".join(map(chr, (0xC2, 0xC3, 0xC4, 0xC5, 0xCE, 0xCF, 0xD0, 0xD1))) + "]" + _TAIL
_THREE = "[" + "".join(map(chr, range(0xE1, 0xF0))) + "]" + _TAIL * 2
_FOUR = "ð" + _TAIL * 3
_SEQUENCES = re.compile(f"(?:{_TWO}|{_THREE}|{_FOUR})+")


def repair(text: str) -> str:
    """`text` with such runs as the characters they were; itself where there are none."""
    return text if text.isascii() else _SEQUENCES.sub(_decoded, text)


def _decoded(match: re.Match[str]) -> str:
    try:
        return bytes(_BYTE_OF[char] for char in match[0]).decode("utf-8")
    except UnicodeDecodeError:
        return match[0]

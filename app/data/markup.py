"""HTML left in texts: tags and entities, found and taken out. Signs that only look like it, as in `a<b`, stay."""

import html
import re

PATTERN = re.compile(
    r"</?(?:a|abbr|b|blockquote|body|br|code|div|em|font|h[1-6]|head|hr|html|i|img|li|ol|p|pre|script|span|strong|style"
    r"|sub|sup|table|tbody|td|th|tr|u|ul)(?:\s+[\w:-]+\s*=[^<>]{0,300})?\s*/?>"
    r"|&(?:amp|lt|gt|quot|nbsp|apos|hellip|mdash|ndash|[lr][sd]quo|#\d{2,6}|#x[0-9a-f]{2,5});",
    re.IGNORECASE,
)


def find(text: str) -> re.Match[str] | None:
    """The first tag or entity."""
    return PATTERN.search(text) if "<" in text or "&" in text else None


def remove(text: str) -> str:
    """`text` without tags, with entities as the characters they stand for; itself where there are none."""
    return " ".join(PATTERN.sub(_plain, text).split()) if find(text) else text


def _plain(match: re.Match[str]) -> str:
    return html.unescape(match[0]) if match[0].startswith("&") else " "

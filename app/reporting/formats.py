"""Numbers and values as a reader of the page sees them."""

from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

MAX_EXCERPT = 400
MAX_ITEMS = 4


def percent(share: float) -> str:
    """One decimal and a percent sign; never rounded to a certainty it has not reached."""
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"


def count(number: float) -> str:
    """A whole number with thousands apart."""
    return f"{number:,.0f}"


def excerpt(text: str, limit: int = MAX_EXCERPT) -> str:
    """The beginning of a text, white space joined; says how much is left out of a long one."""
    joined = " ".join(text[: 4 * limit].split())
    return joined if len(joined) <= limit and len(text) <= 4 * limit else f"{joined[:limit].rstrip()} …"


def capital(sentence: str) -> str:
    """The sentence with a capital at its start, the rest untouched."""
    return sentence[:1].upper() + sentence[1:]


def breakable(name: str) -> Markup:
    """A name, escaped, that may be broken after an underscore or a dot where the column is narrow."""
    return escape(name).replace("_", Markup("_<wbr>")).replace(".", Markup(".<wbr>"))


def words(name: str) -> str:
    """A key in words."""
    return name.replace("_", " ")


def setting(value: Any) -> str:
    """A configuration value on one line; long lists are cut."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        if len(value) > MAX_ITEMS:
            return f"{len(value)}: {setting(value[:2])}, …"
        return ", ".join(setting(item) for item in value)
    return str(value)


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} m" if hours else f"{minutes} m {rest:02d} s"


def size(num_bytes: float) -> str:
    """Bytes in MB or GB of ten."""
    return f"{num_bytes / 1e9:.2f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:.0f} MB"


def moment(time: float) -> str:
    """Unix seconds as date and time in UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M UTC")


FILTERS = {
    "percent": percent,
    "count": count,
    "excerpt": excerpt,
    "breakable": breakable,
    "capital": capital,
    "words": words,
    "setting": setting,
}

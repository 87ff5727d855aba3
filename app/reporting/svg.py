"""Small words for drawing SVG by hand: escaped elements, scales with round ticks, a frame for line charts."""

from collections.abc import Iterable, Sequence
from math import floor, log10
from unicodedata import east_asian_width

from markupsafe import Markup, escape
from pydantic import BaseModel, ConfigDict


def element(name: str, *children: str | Markup, **attributes: object) -> Markup:
    """One SVG element; attribute values and plain-string children are escaped, `_` in a name becomes `-`."""
    written = Markup("").join(
        Markup(' {}="{}"').format(key.strip("_").replace("_", "-"), _number(value))
        for key, value in attributes.items()
        if value is not None
    )
    content = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(name, written, content)


def _number(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def drawing(width: float, height: float, title: str, parts: Iterable[Markup]) -> Markup:
    """A picture that shrinks with the page and grows by a fifth at most; `title` is what a screen reader says."""
    return element(
        "svg",
        element("title", title),
        *parts,
        viewBox=f"0 0 {_number(float(width))} {_number(float(height))}",
        role="img",
        style=f"max-width:{1.2 * width:.0f}px",
        class_="chart",
    )


def text(x: float, y: float, content: str, anchor: str = "middle", class_: str = "label", **more: object) -> Markup:
    """A line of text at a point of its baseline."""
    return element("text", content, x=float(x), y=float(y), text_anchor=anchor, class_=class_, **more)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def polyline(points: Sequence[tuple[float, float]], class_: str) -> Markup:
    """A line through points, not filled."""
    path = " ".join(f"{_number(float(x))},{_number(float(y))}" for x, y in points)
    return element("polyline", points=path, class_=class_)


def round_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within [low, high]."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    power = 10.0 ** floor(log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.75)
    first = -(-low // step)
    count = int((high - first * step) / step + 1e-9) + 1
    return [round((first + k) * step, 12) for k in range(count)]


class Scale(BaseModel):
    """Maps values in [low, high] to pixels in [start, end]."""

    model_config = ConfigDict(frozen=True)

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def fit(values: Iterable[float], start: float, end: float, margin: float = 0.06) -> Scale:
    """A scale with a little air around finite values; [0, 1] when there are none."""
    finite = list(values)
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    air = (high - low) * margin or abs(high) * 0.1 or 0.5
    return Scale(low=low - air, high=high + air, start=start, end=end)


def width_of(name: str) -> int:
    """Its width counted in Latin letters; Chinese letters take two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in name)


def cut(name: str, columns: int) -> str:
    """A name cut to a width counted in Latin letters."""
    width, kept = 0, ""
    for letter in name:
        width += width_of(letter)
        if width > columns:
            return kept.rstrip() + "…"
        kept += letter
    return kept

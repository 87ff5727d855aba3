"""Pictures of a profile as SVG: histograms of lengths and the map of texts."""

from collections import defaultdict
from collections.abc import Sequence
from math import dist
from statistics import median

from markupsafe import Markup

from app.domain.data_profile import ClassProfile, LengthSummary, TextMap
from app.reporting.svg import Scale, cut, drawing, element, line, polyline, round_ticks, text, width_of

NUM_COLOURS = 7
"""Labels, those with most rows, that have a colour of their own; the others share a grey."""

WIDTH, HEIGHT = 480.0, 230.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 470.0, 26.0, 184.0
MAP_SIDE = 640.0
MAP_MARGIN = 10.0
DOT_RADIUS = 3.6
MIN_NAMED, MAX_NAMED_RADIUS = 3, 70.0
MAX_NAME, NAME_LETTER, NAME_HEIGHT = 26, 6.4, 21.0


def _scales(bins: Sequence[int], highest: float) -> tuple[Scale, Scale]:
    width = bins[1] - bins[0]
    x = Scale(low=0.0, high=float(bins[-1] + width), start=LEFT, end=RIGHT)
    return x, Scale(low=0.0, high=highest * 1.06 or 1.0, start=BOTTOM, end=TOP)


def _frame(x: Scale, y: Scale, bins: Sequence[int], unit: str) -> list[Markup]:
    parts: list[Markup] = []
    for value in round_ticks(0.0, y.high, 4):
        parts.append(line(LEFT, y.at(value), RIGHT, y.at(value), "grid"))
        parts.append(text(LEFT - 6, y.at(value) + 4, _percent(value), "end"))
    parts += [text(x.at(value), BOTTOM + 17, f"{value:,.0f}") for value in round_ticks(0.0, float(bins[-1]), 6)]
    return [*parts, line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis"), text(RIGHT, BOTTOM + 38, unit, "end", "label axis-name")]


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _marks(found: LengthSummary, x: Scale) -> list[Markup]:
    """The median and the 95th percentile as dashed lines; their names one above the other."""
    parts: list[Markup] = []
    for rank, words, height in ((50, "median", TOP - 14), (95, "95 %", TOP - 2)):
        at = x.at(min(found.percentiles[rank], x.high))
        ends = at > (LEFT + RIGHT) / 2
        name = f"{words}: {found.percentiles[rank]:,.0f}"
        parts += [
            line(at, height + 3, at, BOTTOM, "mark"),
            text(at + (-5 if ends else 5), height + 2, name, "end" if ends else "start", "label mark"),
        ]
    return parts


def draw_histogram(found: LengthSummary, bins: Sequence[int], unit: str) -> Markup:
    """Lengths of all texts as bars: the share of the texts in each bin."""
    total = sum(found.histogram)
    shares = [count / total for count in found.histogram]
    x, y = _scales(bins, max(shares))
    width = bins[1] - bins[0]
    parts = _frame(x, y, bins, unit)
    for low, share, count in zip(bins, shares, found.histogram, strict=True):
        if not count:
            continue
        words = f"{low:,} to {low + width - 1:,}" if low != bins[-1] else f"{low:,} and more"
        tip = element("title", f"{words} {unit}: {count:,} texts, {_percent(share)}")
        left, right = x.at(low) + 0.75, x.at(low + width) - 0.75
        parts.append(
            element(
                "rect", tip, x=left, y=y.at(share), width=right - left, height=BOTTOM - y.at(share), class_="length"
            )
        )
    return drawing(WIDTH, HEIGHT, f"lengths in {unit}", [*parts, *_marks(found, x)])


def draw_outlines(classes: Sequence[ClassProfile], bins: Sequence[int], unit: str) -> Markup:
    """Lengths label by label as lines: the share of the label's texts in each bin."""
    lengths = [one.tokens if unit == "tokens" else one.characters for one in classes]
    shares = [[count / sum(found.histogram) for count in found.histogram] if found else [] for found in lengths]
    x, y = _scales(bins, max(max(one, default=0.0) for one in shares))
    middle = (bins[1] - bins[0]) / 2
    parts = _frame(x, y, bins, unit)
    for number, one in enumerate(shares):
        points = [(x.at(low + middle), y.at(share)) for low, share in zip(bins, one, strict=False)]
        parts.append(polyline(points, f"line k{number}"))
    return drawing(WIDTH, HEIGHT, f"lengths in {unit} by label", parts)


def style_of(place: int) -> str:
    """The class of a label's colour."""
    return f"k{place}" if place < NUM_COLOURS else "rest"


def draw_map(found: TextMap, labels: Sequence[str]) -> Markup:
    """A dot a text, coloured by label; its label and beginning under the pointer. `m3` is the class of label 3's.

    Where more labels are on it than there are colours, those whose texts lie together have their name in the midst.
    """
    x = Scale(low=0.0, high=1000.0, start=MAP_MARGIN, end=MAP_SIDE - MAP_MARGIN)
    top, bottom = (bound(x.at(point.y) for point in found.points) for bound in (min, max))
    y = Scale(low=0.0, high=1000.0, start=2 * MAP_MARGIN - top, end=MAP_SIDE - top)
    dots = [
        element(
            "circle",
            element("title", f"{labels[point.label]}: {point.text}"),
            cx=round(x.at(point.x), 1),
            cy=round(y.at(point.y), 1),
            r=DOT_RADIUS,
            class_=f"text {style_of(point.label)} m{point.label}",
        )
        for point in found.points
    ]
    names = _names(found, labels, x, y) if len(labels) > NUM_COLOURS else []
    return drawing(MAP_SIDE, bottom - top + 2 * MAP_MARGIN, "map of the texts", [*dots, *names])


def _names(found: TextMap, labels: Sequence[str], x: Scale, y: Scale) -> list[Markup]:
    """Names of labels whose texts lie together, at their median; none over another, those with most texts first."""
    places: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for point in found.points:
        places[point.label].append((point.x, point.y))
    names: list[Markup] = []
    taken: list[tuple[float, float, float]] = []
    for label, points in sorted(places.items()):
        middle = median(px for px, _ in points), median(py for _, py in points)
        if len(points) < MIN_NAMED or median(dist(middle, point) for point in points) > MAX_NAMED_RADIUS:
            continue
        name = cut(labels[label], MAX_NAME)
        half = width_of(name) * NAME_LETTER / 2
        at = min(max(x.at(middle[0]), half), MAP_SIDE - half), y.at(middle[1])
        if all(abs(at[0] - other[0]) > half + other[2] or abs(at[1] - other[1]) > NAME_HEIGHT for other in taken):
            taken.append((*at, half))
            names.append(text(at[0], at[1] + 4, name, class_=f"label place m{label}"))
    return names

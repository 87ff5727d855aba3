"""The confusion heat map and the reliability plot as SVG."""

from collections.abc import Sequence

from markupsafe import Markup
from pydantic import BaseModel, ConfigDict

from app.reporting.svg import Scale, cut, drawing, element, line, polyline, round_ticks, text, width_of
from app.train.calibration import Calibration, ReliabilityBin
from app.train.evaluation import Evaluation

MAX_NAMED = 20
MAX_PAIRS = 10
NAMED_OPACITY = (0.06, 0.78)
COMPACT_OPACITY = (0.3, 1.0)
SIDE = 440.0


class Confusion(BaseModel):
    """Rows of one label that were taken for another; `share` is of the given label's rows."""

    model_config = ConfigDict(frozen=True)

    label: str
    predicted: str
    rows: int
    share: float


def most_confused(evaluation: Evaluation) -> list[Confusion]:
    """The ten most frequent wrong pairs, by rows and then by share."""
    pairs = [
        Confusion(
            label=evaluation.labels[given],
            predicted=evaluation.labels[predicted],
            rows=rows,
            share=rows / evaluation.per_label[given].support,
        )
        for given, counts in enumerate(evaluation.confusion)
        for predicted, rows in enumerate(counts)
        if rows and given != predicted
    ]
    return sorted(pairs, key=lambda pair: (-pair.rows, -pair.share))[:MAX_PAIRS]


def _cell(evaluation: Evaluation, given: int, predicted: int, left: float, top: float, size: float) -> list[Markup]:
    rows = evaluation.confusion[given][predicted]
    support = evaluation.per_label[given].support
    share = rows / support if support else 0.0
    names = evaluation.labels
    tip = f"given “{names[given]}”, predicted “{names[predicted]}”: {rows:,} rows, {100 * share:.1f} %"
    gap, (faintest, fullest) = (2.0, NAMED_OPACITY) if len(names) <= MAX_NAMED else (0.0, COMPACT_OPACITY)
    parts = [
        element(
            "rect",
            element("title", tip),
            x=left + gap / 2,
            y=top + gap / 2,
            width=size - gap,
            height=size - gap,
            rx=min(5.0, size / 12) if gap else 0.0,
            class_="cell right" if given == predicted else "cell wrong",
            fill_opacity=round(faintest + (fullest - faintest) * share, 3) if rows else 0.04,
        )
    ]
    if gap:
        x, middle, large = left + size / 2, top + size / 2, size > 70
        style = "count large" if large else "count"
        parts.append(text(x, middle + (0 if large else 4), f"{rows:,}", class_=style))
        if large:
            parts.append(text(x, middle + 18, f"{100 * share:.1f} %", class_="count"))
    return parts


def _named_axes(labels: Sequence[str], left: float, top: float, size: float) -> list[Markup]:
    parts = []
    for index, name in enumerate(labels):
        centre = (index + 0.5) * size
        parts.append(text(left - 8, top + centre + 4, cut(name, 16), "end", "label name"))
        if size > 64:
            parts.append(text(left + centre, top - 10, cut(name, int(size / 7)), class_="label name"))
        else:
            x, y = left + centre + 3, top - 8
            parts.append(text(x, y, cut(name, 16), "start", "label name", transform=f"rotate(-45 {x:.1f} {y:.1f})"))
    return parts


def _numbered_axes(count: int, left: float, top: float, size: float) -> list[Markup]:
    parts = []
    for label_id in range(0, count, 10 if count <= 120 else 50):
        centre = (label_id + 0.5) * size
        parts += [text(left - 6, top + centre + 4, str(label_id), "end"), text(left + centre, top - 6, str(label_id))]
    return parts


def draw_heat_map(evaluation: Evaluation) -> Markup:
    """Rows are given labels, columns predicted ones; colour is the share of the given label's rows.

    Up to 20 labels with names and counts; more as a compact map with label ids and the counts as tool tips.
    """
    count = len(evaluation.labels)
    named = count <= MAX_NAMED
    longest = max(width_of(cut(name, 17)) for name in evaluation.labels)
    left = 22.0 + (longest * 6.6 + 14 if named else 26.0)
    size = min(96.0, (SIDE - left) / count)
    top = 24.0 + (26.0 if size > 64 else longest * 4.8 + 14 if named else 18.0)
    parts = _named_axes(evaluation.labels, left, top, size) if named else _numbered_axes(count, left, top, size)
    for given in range(count):
        for predicted in range(count):
            if named or evaluation.confusion[given][predicted]:
                parts += _cell(evaluation, given, predicted, left + predicted * size, top + given * size, size)
    edge = size * count
    if not named:
        parts.append(element("rect", x=left, y=top, width=edge, height=edge, class_="frame"))
    turned = f"rotate(-90 11 {top + edge / 2:.1f})"
    parts += [
        text(left + edge / 2, 13, "predicted", class_="label axis-name"),
        text(11, top + edge / 2, "given", class_="label axis-name", transform=turned),
    ]
    # A rotated last column name reaches beyond the last cell.
    overhang = longest * 4.8 if named and size <= 64 else 8.0
    return drawing(left + edge + overhang, top + edge + 6, "confusion matrix", parts)


def _curve(bins: Sequence[ReliabilityBin], x: Scale, y: Scale, style: str, name: str) -> list[Markup]:
    points, dots = [], []
    for b in bins:
        if b.confidence is None or b.accuracy is None:
            continue
        px, py = x.at(b.confidence), y.at(b.accuracy)
        tip = f"{name}: {b.rows:,} rows, confidence {100 * b.confidence:.1f} %, right {100 * b.accuracy:.1f} %"
        dots.append(element("circle", element("title", tip), cx=px, cy=py, r=4.0, class_=f"dot {style}"))
        points.append((px, py))
    return [polyline(points, f"line {style}"), *dots]


def _histogram(bins: Sequence[ReliabilityBin], x: Scale, y: Scale) -> list[Markup]:
    """Rows of each bin as bars along the bottom, the fullest a third of the plot high."""
    most = max(b.rows for b in bins)
    return [
        element(
            "rect",
            element("title", f"{b.rows:,} rows"),
            x=x.at(b.low) + 1,
            y=y.at(b.rows / most / 3),
            width=x.at(b.high) - x.at(b.low) - 2,
            height=y.at(0) - y.at(b.rows / most / 3),
            class_="bin",
        )
        for b in bins
        if b.rows
    ]


def draw_reliability(calibration: Calibration) -> Markup:
    """Confidence against the share of rows right, a dot a bin; on the diagonal is perfect. Bars count the rows."""
    left, right, top, bottom = 60.0, 408.0, 14.0, 308.0
    x, y = Scale(low=0, high=1, start=left, end=right), Scale(low=0, high=1, start=bottom, end=top)
    parts = _histogram(calibration.bins, x, y)
    for value in round_ticks(0, 1, 5):
        label = f"{100 * value:.0f} %"
        parts += [line(left, y.at(value), right, y.at(value), "grid"), text(left - 6, y.at(value) + 4, label, "end")]
        parts.append(text(x.at(value), bottom + 16, label))
    parts += [line(left, bottom, right, bottom, "axis"), line(left, bottom, right, top, "ideal")]
    if calibration.temperature != 1.0:
        parts += _curve(calibration.bins_after_temperature, x, y, "second", "after temperature")
    parts += _curve(calibration.bins, x, y, "first", "as trained")
    parts += [
        text((left + right) / 2, bottom + 36, "confidence", class_="label axis-name"),
        text(11, 161, "rows right", class_="label axis-name", transform="rotate(-90 11 161)"),
    ]
    return drawing(420, 350, "reliability plot", parts)

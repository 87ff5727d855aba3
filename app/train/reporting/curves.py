"""Learning curves as SVG: loss, scores, learning rate, throughput over optimizer steps."""

from collections.abc import Sequence
from math import isfinite
from statistics import fmean

from markupsafe import Markup
from pydantic import BaseModel, ConfigDict

from app.reporting.svg import Scale, drawing, element, fit, line, polyline, round_ticks, text
from app.runs.analysis import RunAnalysis

WIDTH, HEIGHT = 420.0, 230.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 408.0, 22.0, 198.0
MAX_POINTS = 160
Point = tuple[float, float]


class Curve(BaseModel):
    """One line of a chart; `dots` draws its points too."""

    model_config = ConfigDict(frozen=True)

    name: str
    style: str
    points: list[Point]
    dots: bool = False


class Chart(BaseModel):
    """A drawn chart with what its legend says: (name, style) pairs."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    title: str
    picture: Markup
    legend: list[tuple[str, str]]


def thin(points: Sequence[Point]) -> list[Point]:
    """At most 160 points: means of neighbours; what is not finite is left out."""
    finite = [(x, y) for x, y in points if isfinite(y)]
    size = -(-len(finite) // MAX_POINTS) or 1
    groups = [finite[k : k + size] for k in range(0, len(finite), size)]
    return [(fmean(x for x, _ in group), fmean(y for _, y in group)) for group in groups]


def _tick_label(value: float) -> str:
    if value and abs(value) < 0.001:
        return f"{value:.0e}".replace("e-0", "e-")
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _frame(x: Scale, y: Scale, as_percent: bool) -> list[Markup]:
    parts: list[Markup] = []
    for value in round_ticks(y.low, y.high, 4):
        label = f"{100 * value:.4g} %" if as_percent else _tick_label(value)
        parts += [line(LEFT, y.at(value), RIGHT, y.at(value), "grid"), text(LEFT - 6, y.at(value) + 4, label, "end")]
    for value in round_ticks(x.low, x.high, 5):
        parts.append(text(x.at(value), BOTTOM + 16, _tick_label(value)))
    return [*parts, line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis"), text(RIGHT, HEIGHT - 2, "step", "end")]


def _draw(curve: Curve, x: Scale, y: Scale) -> list[Markup]:
    points = [(x.at(step), y.at(value)) for step, value in curve.points]
    parts = [polyline(points, f"line {curve.style}")] if len(points) > 1 else []
    if curve.dots or len(points) == 1:
        for (step, value), (px, py) in zip(curve.points, points, strict=True):
            tip = element("title", f"{curve.name} at step {step:,.0f}: {value:.4g}")
            parts.append(element("circle", tip, cx=px, cy=py, r=3.0, class_=f"dot {curve.style}"))
    return parts


def _mark(step: int, words: str, x: Scale) -> list[Markup]:
    """A dashed line at a step, its words on the side with room."""
    px = x.at(step)
    at_right = px > (LEFT + RIGHT) / 2
    label = text(px + (-5 if at_right else 5), TOP - 8, words, "end" if at_right else "start", "label mark")
    return [line(px, TOP - 16, px, BOTTOM, "mark"), label]


def draw_chart(
    title: str,
    curves: Sequence[Curve],
    *,
    best_step: int | None = None,
    shaded: Sequence[tuple[float, float]] = (),
    as_percent: bool = False,
    from_zero: bool = False,
) -> Chart:
    """Curves over steps from 0; `shaded` are stretches of steps to point at."""
    drawn = [curve.model_copy(update={"points": thin(curve.points)}) for curve in curves]
    drawn = [curve for curve in drawn if curve.points]
    steps = [step for curve in drawn for step, _ in curve.points]
    values = [value for curve in drawn for _, value in curve.points] + ([0.0] if from_zero else [])
    x = Scale(low=0.0, high=max(steps, default=1.0) * 1.01 or 1.0, start=LEFT, end=RIGHT)
    y = fit(values, BOTTOM, TOP)
    if from_zero and min(values) >= 0:
        y = y.model_copy(update={"low": 0.0})
    parts = [
        element("rect", x=x.at(a), y=TOP, width=max(2.0, x.at(b) - x.at(a)), height=BOTTOM - TOP, class_="shade")
        for a, b in shaded
    ]
    parts += _frame(x, y, as_percent)
    if best_step is not None:
        parts += _mark(best_step, f"best: step {best_step:,}", x)
    for curve in drawn:
        parts += _draw(curve, x, y)
    legend = [(curve.name, curve.style) for curve in drawn]
    return Chart(title=title, picture=drawing(WIDTH, HEIGHT, title, parts), legend=legend)


def _scores(analysis: RunAnalysis) -> list[Curve]:
    names = {"accuracy": ("accuracy", "first"), "macro_f1": ("macro F1", "second")}
    if analysis.metric not in (*names, "loss"):
        names[analysis.metric] = (analysis.metric.replace("_", " "), "third")
    return [
        Curve(
            name=name,
            style=style,
            points=[(float(e.step), e.metrics[key]) for e in analysis.evaluations if key in e.metrics],
            dots=True,
        )
        for key, (name, style) in names.items()
    ]


def draw_learning_curves(analysis: RunAnalysis) -> list[Chart]:
    """Loss, scores, learning rate and throughput; charts without points are left out."""
    last = max((e.step for e in analysis.evaluations), default=0)
    train_loss = Curve(name="training loss", style="first", points=[(float(s.step), s.loss) for s in analysis.steps])
    eval_loss = [(float(e.step), e.metrics["loss"]) for e in analysis.evaluations if "loss" in e.metrics]
    over = [(float(analysis.overfitting.step), float(last))] if analysis.overfitting else []
    rate = Curve(name="learning rate", style="third", points=[(float(s.step), s.learning_rate) for s in analysis.steps])
    speed = Curve(
        name="tokens a second", style="second", points=[(float(s.step), s.tokens_per_second) for s in analysis.steps]
    )
    charts = [
        draw_chart(
            "Loss",
            [train_loss, Curve(name="evaluation loss", style="fourth", points=eval_loss, dots=True)],
            best_step=analysis.best_step,
            shaded=over,
            from_zero=True,
        ),
        draw_chart("Scores on the evaluation rows", _scores(analysis), best_step=analysis.best_step, as_percent=True),
        draw_chart("Learning rate", [rate], from_zero=True),
        draw_chart(
            "Throughput",
            [speed],
            shaded=[(dip.first_step - 0.5, dip.last_step + 0.5) for dip in analysis.dips],
            from_zero=True,
        ),
    ]
    return [chart for chart in charts if chart.legend]

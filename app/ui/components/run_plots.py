"""What a training reported, as plots: how it learns, and what the machine does."""

from app.schemas.tasks import MetricPoint
from app.ui.components.curves import Curve, Plot, points_of
from app.ui.components.measures import SCORES
from app.ui.components.watched import Watched
from app.ui.words import Words

_NO_SCORES = ("loss", "epoch", "train_seconds")
GIGABYTE = 1e9


def learning_plots(watched: Watched, t: Words) -> list[Plot]:
    """Loss and scores over optimizer steps."""
    steps = [(float(point.step or 0), point.values) for point in watched.of_kind("step")]
    evals = [(float(point.step or 0), point.values) for point in watched.of_kind("eval")]
    scores = sorted({name for _, values in evals for name, value in values.items() if _is_score(name, value)})
    loss = [
        Curve(t("training rows"), points_of(steps, "loss")),
        Curve(t("held-out rows"), points_of(evals, "loss")),
    ]
    return [
        Plot(t("Loss: how wrong the model is (lower is better)"), t("Step"), t("Loss"), loss),
        Plot(
            t("Scores on held-out rows (higher is better)"),
            t("Step"),
            t("Score"),
            [Curve(t(SCORES[name][0]) if name in SCORES else name, points_of(evals, name)) for name in scores],
        ),
        Plot(
            t("Learning rate"),
            t("Step"),
            t("Learning rate"),
            [Curve(t("Learning rate"), points_of(steps, "learning_rate"))],
            from_zero=True,
        ),
        Plot(
            t("Speed"),
            t("Step"),
            t("Tokens a second"),
            [Curve(t("Tokens a second"), points_of(steps, "tokens_per_second"))],
            from_zero=True,
        ),
    ]


def machine_plots(watched: Watched, t: Words) -> list[Plot]:
    """How busy the machine is over the seconds since the first reading."""
    readings = watched.of_kind("system")
    rows = [(_seconds(point, readings[0]), point.values) for point in readings]
    memory = [
        Curve(t("Memory"), [(x, y / GIGABYTE) for x, y in points_of(rows, "memory_bytes")]),
        Curve(t("GPU memory"), [(x, y / GIGABYTE) for x, y in points_of(rows, "gpu_memory_bytes")]),
    ]
    busy = [
        Curve(t("CPU"), points_of(rows, "cpu_percent")),
        Curve(t("GPU"), points_of(rows, "gpu_percent")),
    ]
    return [
        Plot(t("How busy it is"), t("Seconds"), t("% (100 is one CPU core, or the whole GPU)"), busy, from_zero=True),
        Plot(t("Memory in use"), t("Seconds"), t("GB"), memory, from_zero=True),
    ]


def _is_score(name: str, value: object) -> bool:
    return name not in _NO_SCORES and isinstance(value, int | float) and 0 <= value <= 1


def _seconds(point: MetricPoint, first: MetricPoint) -> float:
    return round(point.time - first.time, 1)

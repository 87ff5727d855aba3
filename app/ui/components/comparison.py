"""Runs beside each other: what was set differently, how they scored, how they learned."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
import streamlit as st

from app.schemas.experiments import Comparison, ExperimentView
from app.schemas.tasks import MetricPoint
from app.ui.components import figures, measures
from app.ui.components.curves import Curve, Plot, points_of, show_numbers, show_plot
from app.ui.components.links import here
from app.ui.components.states import guarded
from app.ui.components.watched import newest_attempt
from app.ui.context import Visitor
from app.ui.words import N_, Words

MAX_COMPARED = 10
POINTS_OF_ALL = 2000
CURVES = {
    ("eval", "accuracy"): N_("Accuracy on held-out rows"),
    ("eval", "macro_f1"): N_("Macro F1 on held-out rows"),
    ("eval", "loss"): N_("Loss on held-out rows"),
    ("step", "loss"): N_("Loss on training rows"),
}
_DIFFERENT = "background-color: rgba(88, 130, 230, 0.22); font-weight: 600"


def draw(visitor: Visitor, names: Sequence[str]) -> None:
    """Draw it; more than ten are too many to tell apart."""
    t, client = visitor.t, visitor.client
    chosen = list(dict.fromkeys(names))[:MAX_COMPARED]
    here(t("All experiments"), "comparison_back", icon=":material/arrow_back:")
    st.title(t("Compare runs"), anchor=False)
    chosen = _choose(chosen, t)
    if len(chosen) < 2:
        st.info(t("Name at least two runs."), icon=":material/compare_arrows:")
        return
    with st.spinner(t("Loading…")):
        differences = client.experiments.compare(chosen)
        views = [client.experiments.show(name) for name in chosen]
    with guarded():
        _scores(views, t)
    with guarded():
        _settings(differences, t)
    with guarded():
        _curves(visitor, chosen)


def _choose(names: list[str], t: Words) -> list[str]:
    chosen = st.multiselect(
        t("Runs"),
        names,
        default=names,
        accept_new_options=True,
        max_selections=MAX_COMPARED,
        placeholder=t("Type the name of another run"),
        help=t("Type a name to add a run; at most {count}.", count=MAX_COMPARED),
    )
    if chosen != names:
        st.query_params.from_dict({"compare": chosen})
        st.rerun()
    return names


def _scores(views: Sequence[ExperimentView], t: Words) -> None:
    st.subheader(t("Scores"), anchor=False)
    splits = [split for split in measures.SPLITS if any(view.metrics.get(split) for view in views)]
    if not splits:
        st.caption(t("None of them has scores yet."))
        return
    split = splits[0]
    if len(splits) > 1:
        split = st.segmented_control(
            t("Measured on"), splits, default=split, required=True, format_func=lambda one: t(measures.SPLITS[one])
        )
    figures.table([_score_row(view, view.metrics.get(split, {}), t) for view in views], "comparison-scores", t)
    columns = {"row": t("Run"), "value": t("Accuracy"), "low": t("Lower end"), "high": t("Upper end")}
    ends = {view.name: measures.ends_of(view.metrics.get(split, {}), "accuracy") for view in views}
    numbers = [dict(zip(columns.values(), (name, *one), strict=True)) for name, one in ends.items() if one]
    figures.figure(figures.intervals(numbers, columns), numbers, "comparison-accuracy", t)
    st.caption(t("Where intervals overlap much, the difference may be chance. Compare runs on the same data only."))


def _score_row(view: ExperimentView, scores: Mapping[str, Any], t: Words) -> dict[str, str]:
    row = {t("Run"): view.name}
    for name, (title, _meaning) in measures.SCORES.items():
        between = measures.interval(scores, name, t)
        row[t(title)] = measures.score(scores, name, t) + (f" ({between})" if between else "")
    row[t("Loss")] = t.number(scores["loss"], 3) if isinstance(scores.get("loss"), int | float) else "–"
    row[t("Training time")] = "–" if view.runtime_seconds is None else t.duration(view.runtime_seconds)
    return row


def _settings(differences: Comparison, t: Words) -> None:
    st.subheader(t("What is different"), anchor=False)
    parts = {N_("Settings"): differences.config, N_("Data"): differences.data, N_("Plan"): differences.plan}
    rows = [
        [t(part), key, *(_written(value) for value in values)]
        for part, found in parts.items()
        for key, values in found.items()
    ]
    if not rows:
        st.caption(t("Nothing: their settings, data and plans are the same."))
        return
    numbers = pd.DataFrame(rows, columns=[t("Part"), t("Setting"), *differences.runs])
    st.dataframe(numbers.style.apply(_mark, axis=1), hide_index=True, height="content")
    st.caption(t("Marked is what differs from the first run."))


def _written(value: Any) -> str:
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _mark(row: Any) -> list[str]:
    return ["", "", ""] + [_DIFFERENT if value != row.iloc[2] else "" for value in row.iloc[3:]]


def _curves(visitor: Visitor, names: Sequence[str]) -> None:
    t, client = visitor.t, visitor.client
    st.subheader(t("How they learned"), anchor=False)
    each = POINTS_OF_ALL // len(names)
    heard = {name: client.experiments.metrics(name, kinds=("step", "eval"), max_points=each).points for name in names}
    plots = [
        Plot(t(title), t("Step"), t(title), [Curve(name, _points(points, *what)) for name, points in heard.items()])
        for what, title in CURVES.items()
    ]
    left, right = st.columns(2, gap="large")
    for index, plot in enumerate(plots):
        with left if index % 2 == 0 else right:
            show_plot(plot, t, f"comparison_plot_{index}")
    show_numbers(plots, t, "comparison_curves", "comparison-curves.csv")


def _points(points: Sequence[MetricPoint], kind: str, measure: str) -> list[tuple[float, float]]:
    found = newest_attempt(point for point in points if point.kind == kind)
    return points_of([(float(point.step or 0), point.values) for point in found], measure)

"""One run in full: is it any good, where does it fail, how did it learn, what proves it, what was it made from."""

from collections.abc import Callable

import streamlit as st

from app.schemas.experiments import ExperimentView
from app.ui.components import lineage, ownership, run_files, verdict
from app.ui.components.curves import show_numbers, show_plot
from app.ui.components.links import here, link
from app.ui.components.run_plots import learning_plots
from app.ui.components.states import empty, guarded, plain
from app.ui.components.task_words import show_failure, show_state
from app.ui.components.watched import Watched
from app.ui.context import Visitor
from app.ui.words import Words


def draw(visitor: Visitor, name: str) -> None:
    """Draw it, one part at a time: only the open one is fetched."""
    t, client = visitor.t, visitor.client
    here(t("All experiments"), "experiment_back", icon=":material/arrow_back:")
    with st.spinner(t("Loading…")):
        view = client.experiments.show(name)
        files = client.artifacts.list(name) if view.state == "SUCCESS" else None
    _head(view, visitor)
    parts: dict[str, Callable[[], None]] = {
        t("Scores"): lambda: verdict.scores(visitor, view, files),
        t("Mistakes"): lambda: verdict.mistakes(visitor, view, files),
        t("Learning curves"): lambda: _curves(visitor, view),
        t("Files and proof"): lambda: run_files.draw(visitor, view, files),
        t("How it was made"): lambda: lineage.draw(visitor, view, files),
    }
    if view.may_change:
        parts[t("Sharing and deleting")] = lambda: ownership.draw(visitor, view)
    tabs = st.tabs(list(parts), key=f"experiment_{name}", on_change="rerun")
    for tab, part in zip(tabs, parts.values(), strict=True):
        if tab.open:
            with tab, guarded():
                part()


def _head(view: ExperimentView, visitor: Visitor) -> None:
    t = visitor.t
    st.title(plain(view.name), anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        if view.state is not None:
            show_state(view.state, t)
        about = [view.dataset, view.base_model, view.owner]
        st.caption(" · ".join([plain(one) for one in about if one] + [t.moment(view.created_at)]))
    with st.container(horizontal=True, vertical_alignment="center"):
        if view.task_id and view.may_read_task:
            link("tasks", t("Its task"), icon=":material/checklist:", task=view.task_id)
        if view.state == "SUCCESS":
            link("try", t("Try it"), icon=":material/chat:", run=view.name)
            run_files.report_button(visitor, view.name, "experiment_report")
    if view.error is not None:
        show_failure(view.error.code, view.error.detail, t, stopped=view.state == "REVOKED")


def _curves(visitor: Visitor, view: ExperimentView) -> None:
    t = visitor.t
    series = visitor.client.experiments.metrics(view.name, kinds=("step", "eval"))
    if not series.points:
        empty(t("This run reported nothing yet."), icon=":material/show_chart:")
        return
    plots = learning_plots(Watched(view.task_id or "", points=series.points), t)
    left, right = st.columns(2, gap="large")
    for index, plot in enumerate(plots):
        with left if index % 2 == 0 else right:
            show_plot(plot, t, f"experiment_plot_{index}")
    if series.sampled:
        st.caption(_thinned(series.matching, len(series.points), t))
    show_numbers(plots, t, "experiment_curves", f"{view.name}-curves.csv")


def _thinned(matching: int, shown: int, t: Words) -> str:
    return t("{shown} of {all} points are shown.", shown=t.number(shown), all=t.number(matching))

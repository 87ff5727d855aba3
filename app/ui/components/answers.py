"""What a run says about a text: its label, the probability of each, and on demand which words mattered for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import altair as alt
import streamlit as st

from app.domain.errors import ServiceUnavailable
from app.schemas.inference import PredictResponse
from app.ui.components import figures
from app.ui.components.links import link
from app.ui.components.states import guarded, plain
from app.ui.components.word_effects import word_effects
from app.ui.context import Visitor
from app.ui.words import Words

MAX_BARS = 10
MAX_KEPT = 60
_KEPT = "try:answers"
_AWAY = "inference.unavailable"
Answer = TypeVar("Answer")


def answered(visitor: Visitor, run: str, text: str) -> None:
    """Ask a run, and draw its answer; one that was given before is not asked for again."""
    t, client = visitor.t, visitor.client.inference
    with st.container(border=True):
        link("experiments", run, icon=":material/science:", run=run)
        with _asking(run, t):
            with st.spinner(t("Asking the model. The first answer of a model takes a little longer.")):
                answer = _once(("predict", run, text), lambda: client.predict(run, text))
            _draw(answer, t)
            if st.toggle(t("Show which words mattered"), key=f"try:why:{run}"):
                with st.spinner(t("Leaving out one word at a time…")):
                    found = _once(("explain", run, text), lambda: client.explain(run, text))
                word_effects(found, text, t)


def _draw(answer: PredictResponse, t: Words) -> None:
    st.markdown(f"### {plain(answer.label_name)} · {t.percent(answer.probability)}")
    if answer.truncated:
        st.warning(
            t("The text is longer than what this model reads: its end made no difference."),
            icon=":material/content_cut:",
        )
    label, probability = t("Label"), t("Probability")
    ranked = sorted(answer.scores.items(), key=lambda one: -one[1])
    rows = [{label: name, probability: score} for name, score in ranked]
    figures.figure(_bars(rows[:MAX_BARS], label, probability), rows, f"{answer.model}-answer", t)
    if len(rows) > MAX_BARS:
        st.caption(t("The {shown} most probable of {all} labels are drawn.", shown=MAX_BARS, all=len(rows)))
    took = t("{time} ms", time=t.number(answer.latency_ms, 0 if answer.latency_ms >= 10 else 1))
    st.caption(" · ".join([t("base model {name}", name=plain(answer.base_model)), t("answered in {time}", time=took)]))


def _bars(rows: list[dict[str, Any]], label: str, probability: str) -> figures.Chart:
    """A bar a label with its number at the end, the most probable first."""
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y(field=label, type="nominal", sort=None, title=None, axis=alt.Axis(labelLimit=180)),
        x=alt.X(
            field=probability,
            type="quantitative",
            scale=alt.Scale(domain=[0, 1.12], nice=False),
            axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
            title=probability,
        ),
        tooltip=[
            alt.Tooltip(field=label, type="nominal"),
            alt.Tooltip(field=probability, type="quantitative", format=".2%"),
        ],
    )
    numbers = base.mark_text(align="left", dx=5, color=figures.ink()).encode(
        text=alt.Text(field=probability, type="quantitative", format=".1%")
    )
    return alt.layer(base.mark_bar(cornerRadiusEnd=3), numbers).properties(height=60 + 34 * len(rows))


def _once(key: tuple[str, str, str], ask: Callable[[], Answer]) -> Answer:
    kept: dict[tuple[str, str, str], Any] = st.session_state.setdefault(_KEPT, {})
    if key not in kept:
        answer = ask()
        while len(kept) >= MAX_KEPT:
            del kept[next(iter(kept))]
        kept[key] = answer
    given: Answer = kept[key]
    return given


@contextmanager
def _asking(run: str, t: Words) -> Iterator[None]:
    """The models are a program of their own: where it does not answer, or a run is broken, all else goes on."""
    with guarded():
        try:
            yield
        except ServiceUnavailable as error:
            if error.code == _AWAY:
                st.warning(t("The models do not answer at the moment. Your text is still here."),
                           icon=":material/cloud_off:")  # fmt: skip
                st.button(t("Try again"), key=f"try:again:{run}", icon=":material/refresh:")
            elif error.code.startswith("run."):
                st.error(t("The files of this run are not what they were when it finished."), icon=":material/error:")
                with st.expander(t("What exactly happened")):
                    st.code(t.told(error.message), language=None, wrap_lines=True)
            else:
                raise

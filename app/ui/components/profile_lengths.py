"""How long the texts of a data set are, in characters and in the tokens of a base model: all of them, and by label."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import altair as alt
import streamlit as st

from app.domain.data_profile import DataProfile, LengthSummary
from app.ui.components.curves import Row
from app.ui.components.figures import figure, table
from app.ui.components.states import plain
from app.ui.words import N_, Words

MAX_LINES = 7
"""Labels with a line of their own, those with most rows; there are as many colours."""
_UNITS = {"characters": N_("Characters"), "tokens": N_("Tokens")}


def show_lengths(profile: DataProfile, t: Words) -> None:
    """All texts as bars, labels as lines of shares, and the lengths most have as a table."""
    units = ["characters", *(["tokens"] if profile.tokens is not None else [])]
    unit = units[0]
    if len(units) > 1:
        unit = st.segmented_control(
            t("Counted in"),
            units,
            default=units[0],
            required=True,
            format_func=lambda one: t(_UNITS[one]),
            key="profile_unit",
        )
    if unit == "tokens" and profile.tokens is not None:
        by = plain(profile.tokens_by or "")
        st.caption(t("Tokens of {model}, counted on {rows} rows", model=by, rows=t.number(profile.token_rows)))
        _draw(profile, unit, profile.tokens, profile.token_bins, t)
    else:
        _draw(profile, "characters", profile.characters, profile.character_bins, t)


def _draw(profile: DataProfile, unit: str, whole: LengthSummary, bins: Sequence[int], t: Words) -> None:
    last = max((place for place, texts in enumerate(whole.histogram) if texts), default=-1)
    spans = [_span(low, high, t) for low, high in [*pairwise(bins), (bins[-1], None)]][: last + 1] if bins else []
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**{t('All texts')}**")
        rows: list[Row] = [
            {"length": span, "texts": texts} for span, texts in zip(spans, whole.histogram, strict=False)
        ]
        figure(_bars(rows, t(_UNITS[unit]), t), _named(rows, t(_UNITS[unit]), t), f"profile_lengths_{unit}", t)
    with right:
        st.markdown(f"**{t('By label')}**")
        lines = _shares(profile, unit, spans)
        figure(_lines(lines, spans, t(_UNITS[unit]), t), _named(lines, t(_UNITS[unit]), t), f"profile_by_{unit}", t)
        if len(profile.classes) > MAX_LINES:
            st.caption(t("The {number} labels with most rows", number=MAX_LINES))
    median = whole.percentiles.get(50)
    if median is not None:
        sentences = {
            "characters": t(
                "Half of the texts have at most {median} characters, the longest has {longest}.",
                median=t.number(median),
                longest=t.number(whole.max),
            ),
            "tokens": t(
                "Half of the texts have at most {median} tokens, the longest has {longest}.",
                median=t.number(median),
                longest=t.number(whole.max),
            ),
        }
        st.caption(sentences[unit])
    with st.expander(t("Lengths of each label"), icon=":material/table:"):
        table([_percentiles(t("All texts"), whole, t), *_by_label(profile, unit, t)], f"profile_percentiles_{unit}", t)


def _shares(profile: DataProfile, unit: str, spans: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    for one in profile.classes[:MAX_LINES]:
        found = one.tokens if unit == "tokens" else one.characters
        total = sum(found.histogram) if found is not None else 0
        if found is None or not total:
            continue
        rows += [
            {"label": one.label, "length": span, "texts": texts, "share": texts / total}
            for span, texts in zip(spans, found.histogram, strict=False)
        ]
    return rows


def _bars(rows: Sequence[Row], unit: str, t: Words) -> alt.Chart:
    return (
        alt.Chart(alt.Data(values=list(rows)))
        .mark_bar()
        .encode(
            x=_x(unit, None),
            y=alt.Y("texts:Q", title=t("Texts"), axis=alt.Axis(tickMinStep=1)),
            tooltip=[alt.Tooltip("length:N", title=unit), alt.Tooltip("texts:Q", title=t("Texts"), format=",")],
        )
        .properties(height=300)
    )


def _lines(rows: Sequence[Row], spans: Sequence[str], unit: str, t: Words) -> alt.Chart:
    labels = list(dict.fromkeys(row["label"] for row in rows))
    legend = alt.Legend(title=None, orient="top", symbolType="stroke", columns=2, labelLimit=140)
    return (
        alt.Chart(alt.Data(values=list(rows)))
        .mark_line(strokeWidth=2)
        .encode(
            x=_x(unit, list(spans)),
            y=alt.Y("share:Q", title=t("Share of the label's texts"), axis=alt.Axis(format="%")),
            color=alt.Color("label:N", sort=labels, legend=legend),
            strokeDash=alt.StrokeDash("label:N", sort=labels, legend=legend),
            tooltip=[
                alt.Tooltip("label:N", title=t("Label")),
                alt.Tooltip("length:N", title=unit),
                alt.Tooltip("texts:Q", title=t("Texts"), format=","),
                alt.Tooltip("share:Q", title=t("Proportion"), format=".1%"),
            ],
        )
        .properties(height=300)
    )


def _x(unit: str, order: list[str] | None) -> alt.X:
    return alt.X("length:N", sort=order, title=unit, axis=alt.Axis(labelAngle=-45, labelOverlap=True))


def _named(rows: Sequence[Row], unit: str, t: Words) -> list[Row]:
    names = {"label": t("Label"), "length": unit, "texts": t("Texts"), "share": t("Proportion")}
    return [{names[key]: value for key, value in row.items()} for row in rows]


def _by_label(profile: DataProfile, unit: str, t: Words) -> list[Row]:
    found = [(one.label, one.tokens if unit == "tokens" else one.characters) for one in profile.classes]
    return [_percentiles(label, one, t) for label, one in found if one is not None]


def _percentiles(name: str, found: LengthSummary, t: Words) -> Row:
    shown: dict[str, Any] = {t("Label"): name, t("Mean"): round(found.mean, 1)}
    shown |= {f"{rank} %": round(length) for rank, length in sorted(found.percentiles.items()) if rank in (5, 50, 95)}
    return {**shown, t("Longest"): found.max}


def _span(low: int, high: int | None, t: Words) -> str:
    return f"{t.number(low)}–{t.number(high - 1)}" if high is not None else f"{t.number(low)}+"

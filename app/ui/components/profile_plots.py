"""What a data set looks like: its labels, how long its texts are, in which languages, which words mark a label."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import altair as alt
import streamlit as st

from app.domain.data_profile import DataProfile
from app.ui.components.curves import Row
from app.ui.components.figures import figure, table
from app.ui.words import Words

MAX_BARS = 30
ROW_HEIGHT = 26


def label_shares(labels: Mapping[str, int], key: str, t: Words) -> None:
    """Rows of each label."""
    counts(labels, t("Label"), t("Rows"), key, t)


def counts(numbers: Mapping[str, int], what: str, unit: str, key: str, t: Words) -> None:
    """One bar each, from most to fewest; of many the first, and all in the table."""
    total = sum(numbers.values()) or 1
    ordered = sorted(numbers.items(), key=lambda one: -one[1])
    rows = [{"name": name, "count": count, "share": count / total} for name, count in ordered]
    chart = (
        _chart(rows[:MAX_BARS])
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            x=alt.X("count:Q", title=unit, axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("name:N", sort=None, title=what, axis=alt.Axis(labelLimit=180)),
            tooltip=[
                alt.Tooltip("name:N", title=what),
                alt.Tooltip("count:Q", title=unit, format=","),
                alt.Tooltip("share:Q", title=t("Share"), format=".1%"),
            ],
        )
        .properties(height=90 + ROW_HEIGHT * max(3, min(len(rows), MAX_BARS)))
    )
    shown = [{what: row["name"], unit: row["count"], t("Share"): row["share"]} for row in rows]
    figure(chart, shown, key, t)
    if len(rows) > MAX_BARS:
        st.caption(t("The {shown} most frequent of {total}", shown=MAX_BARS, total=t.number(len(rows))))


def show_profile(profile: DataProfile, t: Words) -> None:
    """All of it, in the order of what matters most for a training."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader(t("How many rows each label has"), anchor=False)
        label_shares({one.label: one.rows for one in profile.classes}, "profile_labels", t)
    with right:
        st.subheader(t("How long the texts are"), anchor=False)
        _lengths(profile, t)
    if profile.languages:
        with left:
            st.subheader(t("Languages"), anchor=False)
            counts(profile.languages, t("Language"), t("Texts looked at"), "profile_languages", t)
    with right:
        st.subheader(t("What repeats"), anchor=False)
        with st.container(horizontal=True):
            st.metric(t("Repeated texts"), t.percent(profile.duplicate_share), border=True)
            st.metric(t("Nearly repeated texts"), t.percent(profile.near_duplicate_share), border=True)
    _words(profile, t)


def _lengths(profile: DataProfile, t: Words) -> None:
    """Texts by their number of characters; the last bar is open to the right."""
    bins, histogram = profile.character_bins, profile.characters.histogram
    bounds = [*pairwise(bins), (bins[-1], None)] if bins else []
    rows = [
        {"length": _span(low, high, t), "texts": number} for (low, high), number in zip(bounds, histogram, strict=False)
    ]
    while rows and not rows[-1]["texts"]:
        rows.pop()
    chart = (
        _chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("length:N", sort=None, title=t("Characters"), axis=alt.Axis(labelAngle=-45, labelOverlap=True)),
            y=alt.Y("texts:Q", title=t("Texts"), axis=alt.Axis(tickMinStep=1)),
            tooltip=[alt.Tooltip("length:N", title=t("Characters")), alt.Tooltip("texts:Q", title=t("Texts"))],
        )
        .properties(height=300)
    )
    shown = [{t("Characters"): row["length"], t("Texts"): row["texts"]} for row in rows]
    figure(chart, shown, "profile_lengths", t)
    median, longest = profile.characters.percentiles.get(50), profile.characters.max
    if median is not None:
        st.caption(
            t(
                "Half of the texts have at most {median} characters, the longest has {longest}.",
                median=t.number(median),
                longest=t.number(longest),
            )
        )


def _chart(rows: Sequence[Row]) -> alt.Chart:
    return alt.Chart(alt.Data(values=list(rows)))


def _span(low: int, high: int | None, t: Words) -> str:
    return f"{t.number(low)}–{t.number(high - 1)}" if high is not None else f"{t.number(low)}+"


def _words(profile: DataProfile, t: Words) -> None:
    rows = [
        {t("Label"): one.label, t("Word"): word.word, t("Times"): word.count, t("How clearly (z)"): word.z}
        for one in profile.classes
        for word in one.words
    ]
    if rows:
        st.subheader(t("Words that mark a label"), anchor=False)
        st.caption(t("A name or a place among them may be a short cut that a model learns in place of the meaning."))
        table(
            rows,
            "profile_words",
            t,
            {t("How clearly (z)"): st.column_config.NumberColumn(format="%.1f")},
        )

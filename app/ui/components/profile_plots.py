"""What a data set looks like: its labels, its languages and scripts, what repeats; the parts of it in their order."""

from collections.abc import Mapping, Sequence

import altair as alt
import streamlit as st

from app.domain.data_profile import DataProfile
from app.ui.components.curves import Row
from app.ui.components.figures import figure, table
from app.ui.components.profile_lengths import show_lengths
from app.ui.components.profile_texts import show_examples, show_map, show_words
from app.ui.components.states import plain
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
            y=alt.Y("name:N", sort=None, title=what, axis=alt.Axis(labelLimit=180, labelOverlap=False)),
            tooltip=[
                alt.Tooltip("name:N", title=what),
                alt.Tooltip("count:Q", title=unit, format=","),
                alt.Tooltip("share:Q", title=t("Proportion"), format=".1%"),
            ],
        )
        .properties(height=90 + ROW_HEIGHT * max(3, min(len(rows), MAX_BARS)))
    )
    shown = [{what: row["name"], unit: row["count"], t("Proportion"): row["share"]} for row in rows]
    figure(chart, shown, key, t)
    if len(rows) > MAX_BARS:
        st.caption(t("The {shown} most frequent of {total}", shown=MAX_BARS, total=t.number(len(rows))))


def show_profile(profile: DataProfile, t: Words) -> None:
    """All of it, in the order of what matters most for a training."""
    _figures(profile, t)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader(t("How many rows each label has"), anchor=False)
        label_shares({one.label: one.rows for one in profile.classes}, "profile_labels", t)
        if len(profile.classes) > 1:
            majority = t.percent(profile.balance.majority_share)
            st.caption(t("Whoever always says the most frequent label is right for {share}.", share=majority))
    with right:
        st.subheader(t("Languages"), anchor=False)
        if profile.languages:
            counts(_named(profile.languages, t), t("Language"), t("Texts looked at"), "profile_languages", t)
        if len(profile.scripts) > 1 or not profile.languages:
            counts(_named(profile.scripts, t), t("Script"), t("Texts"), "profile_scripts", t)
        show_readings(profile, t)
    st.subheader(t("How long the texts are"), anchor=False)
    show_lengths(profile, t)
    show_words(profile, t)
    show_examples(profile, t)
    show_map(profile, t)


def _figures(profile: DataProfile, t: Words) -> None:
    with st.container(horizontal=True):
        st.metric(t("Rows"), t.number(profile.rows), border=True)
        st.metric(t("Labels"), t.number(len(profile.classes)), border=True)
        st.metric(t("Repeated texts"), t.percent(profile.duplicate_share), border=True)
        st.metric(t("Nearly repeated texts"), t.percent(profile.near_duplicate_share), border=True)


def show_readings(profile: DataProfile, t: Words) -> None:
    """How well the base model that counted the tokens knows each script."""
    if not profile.readings or profile.tokens_by is None:
        return
    with st.expander(t("How {model} reads them", model=plain(profile.tokens_by)), icon=":material/translate:"):
        st.caption(t("What is not in its vocabulary it cannot learn from. English has about 0.25 tokens a letter."))
        rows = [
            {
                t("Script"): t(one.script),
                t("Texts"): one.rows,
                t("Not in its vocabulary"): one.unknown_share,
                t("Tokens a letter"): one.tokens_per_letter,
            }
            for one in profile.readings
        ]
        formats = {
            t("Not in its vocabulary"): st.column_config.NumberColumn(format="percent"),
            t("Tokens a letter"): st.column_config.NumberColumn(format="%.2f"),
        }
        table(rows, "profile_readings", t, formats)


def _named(numbers: Mapping[str, int], t: Words) -> dict[str, int]:
    """Languages and scripts by what the reader calls them."""
    return {t(name): count for name, count in numbers.items()}


def _chart(rows: Sequence[Row]) -> alt.Chart:
    return alt.Chart(alt.Data(values=list(rows)))

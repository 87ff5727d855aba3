"""What the texts of a data set say: words that mark a label, vocabulary, typical and unusual texts, a map of them."""

from collections.abc import Sequence

import altair as alt
import streamlit as st

from app.domain.data_profile import ClassProfile, DataProfile
from app.ui.components.curves import Row
from app.ui.components.figures import figure, table
from app.ui.components.states import plain
from app.ui.words import Words

MAX_WORDS = 12
MAX_SIDE_BY_SIDE = 4
MAX_COLOURS = 7
"""Labels with a colour of their own on the map; the others share one."""


def show_words(profile: DataProfile, t: Words) -> None:
    """Words that are said more with one label than with the others, and those that are said most."""
    marked = [one for one in profile.classes if one.words]
    if marked:
        st.subheader(t("Words that mark a label"), anchor=False)
        st.caption(t("A name or a place among them may be a short cut that a model learns in place of the meaning."))
        shown = _chosen(marked, "profile_words_label", t)
        for place, one in zip(st.columns(min(2, len(shown)), gap="large") * len(shown), shown, strict=False):
            with place:
                st.markdown(f"**{plain(one.label)}**")
                st.altair_chart(_word_bars(one, t), width="stretch")
        rows = [
            {t("Label"): one.label, t("Word"): word.word, t("Times"): word.count, t("How clearly (z)"): word.z}
            for one in marked
            for word in one.words
        ]
        with st.expander(t("The numbers behind it"), icon=":material/table:"):
            formats = {t("How clearly (z)"): st.column_config.NumberColumn(format="%.1f")}
            table(rows, "profile_words", t, formats)
    _vocabulary(profile, t)


def _vocabulary(profile: DataProfile, t: Words) -> None:
    words = profile.vocabulary
    if not words.total:
        return
    st.subheader(t("Vocabulary"), anchor=False)
    if words.unit != "words":
        st.caption(t("In scripts without spaces, two neighbouring characters count as a word."))
    with st.container(horizontal=True):
        st.metric(t("Words in all"), t.number(words.total), border=True)
        st.metric(t("Different words"), t.number(words.size), border=True)
        st.metric(t("Said only once"), t.number(words.hapaxes), border=True)
        st.metric(
            t("New in the second half"),
            t.percent(words.new_share),
            border=True,
            help=t(
                "The share of words in the second half of the rows that the first half does not have. Much of it"
                " means that more rows would still teach new words."
            ),
        )
    rows = [{"name": one.word, "count": one.count} for one in words.most_frequent]
    with st.expander(t("The most frequent words"), icon=":material/bar_chart:"):
        shown = [{t("Word"): row["name"], t("Times"): row["count"]} for row in rows]
        figure(_bars(rows, "count", t("Times"), t), shown, "profile_vocabulary", t)


def show_examples(profile: DataProfile, t: Words) -> None:
    """Of each label the texts most like its others, and those least like them."""
    described = [one for one in profile.classes if one.typical or one.atypical]
    if not described:
        return
    st.subheader(t("Typical and unusual texts"), anchor=False)
    st.caption(t("An unusual text may be a rare case that is worth having, or a wrong label. Personal data is masked."))
    for one in _chosen(described, "profile_examples_label", t):
        with st.container(border=True):
            st.markdown(f"**{plain(one.label)}**")
            left, right = st.columns(2, gap="large")
            for place, name, texts in ((left, t("Typical"), one.typical), (right, t("Unusual"), one.atypical)):
                with place:
                    st.caption(name)
                    for example in texts:
                        st.text(f"“{example.text}”")
    rows = [
        {t("Label"): one.label, t("Kind"): kind, t("Text"): example.text, t("Likeness"): example.similarity}
        for one in described
        for kind, texts in ((t("Typical"), one.typical), (t("Unusual"), one.atypical))
        for example in texts
    ]
    with st.expander(t("The numbers behind it"), icon=":material/table:"):
        st.caption(
            t("Likeness to the other texts of the label, from 0 to 1, by {vectors}", vectors=profile.examples_by)
        )
        wide = {t("Text"): st.column_config.TextColumn(width="large")}
        table(rows, "profile_examples", t, wide)


def show_map(profile: DataProfile, t: Words) -> None:
    """A dot a text, like ones near each other; nothing where the profile has no map."""
    if profile.map is None or not profile.map.points:
        return
    st.subheader(t("A map of the texts"), anchor=False)
    vectors = plain(profile.map.vectors)
    st.caption(t("Texts that say alike things lie near each other, as {vectors} tells them apart.", vectors=vectors))
    labels = [one.label for one in profile.classes]
    rest = t("other labels")
    rows: list[Row] = [
        {
            "x": point.x,
            "y": point.y,
            "label": labels[point.label],
            "shown": labels[point.label] if point.label < MAX_COLOURS else rest,
            "text": point.text,
        }
        for point in profile.map.points
    ]
    order = [*labels[:MAX_COLOURS], *([rest] if len(labels) > MAX_COLOURS else [])]
    legend = alt.Legend(title=None, orient="top", columns=2, labelLimit=140)
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_point(size=50, filled=True, opacity=0.75)
        .encode(
            x=alt.X("x:Q", title=None, axis=None, scale=alt.Scale(domain=[0, 1000])),
            y=alt.Y("y:Q", title=None, axis=None, scale=alt.Scale(domain=[0, 1000])),
            color=alt.Color("shown:N", sort=order, legend=legend),
            shape=alt.Shape("shown:N", sort=order, legend=legend),
            tooltip=[alt.Tooltip("label:N", title=t("Label")), alt.Tooltip("text:N", title=t("Text"))],
        )
        .properties(height=520)
    )
    numbers = [{t("Label"): row["label"], t("Text"): row["text"], "x": row["x"], "y": row["y"]} for row in rows]
    figure(chart, numbers, "profile_map", t)


def _chosen(classes: Sequence[ClassProfile], key: str, t: Words) -> list[ClassProfile]:
    """A few labels side by side; of more than fit those that are picked, at first the ones with most rows."""
    if len(classes) <= MAX_SIDE_BY_SIDE:
        return list(classes)
    names = [one.label for one in classes]
    picked = st.multiselect(
        t("Labels"), names, default=names[:2], max_selections=MAX_SIDE_BY_SIDE, key=key, placeholder=t("Choose labels")
    )
    return [one for one in classes if one.label in picked]


def _word_bars(one: ClassProfile, t: Words) -> alt.Chart:
    rows = [{"name": word.word, "z": word.z, "count": word.count} for word in one.words[:MAX_WORDS]]
    return _bars(rows, "z", t("How clearly (z)"), t)


def _bars(rows: Sequence[Row], value: str, unit: str, t: Words) -> alt.Chart:
    tips = [alt.Tooltip("name:N", title=t("Word")), alt.Tooltip("count:Q", title=t("Times"), format=",")]
    if value != "count":
        tips.append(alt.Tooltip(f"{value}:Q", title=unit, format=".1f"))
    return (
        alt.Chart(alt.Data(values=list(rows)))
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            x=alt.X(f"{value}:Q", title=unit),
            y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=160, labelOverlap=False)),
            tooltip=tips,
        )
        .properties(height=80 + 26 * max(2, len(rows)))
    )

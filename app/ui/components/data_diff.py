"""Two versions of a data set side by side: how many rows of each label, what was added, removed and relabelled."""

from collections.abc import Sequence

import altair as alt
import streamlit as st

from app.schemas.datasets import DiffView, VersionItem
from app.ui.components.curves import Row
from app.ui.components.figures import figure, table
from app.ui.words import Words

MAX_LABELS = 20
ROW_HEIGHT = 38


def show_diff(diff: DiffView, old: VersionItem, new: VersionItem, t: Words) -> None:
    """All counts, and the first rows of each kind."""
    for place, version in zip(st.columns(2, gap="large"), (old, new), strict=True):
        with place.container(border=True):
            st.markdown(f"**{t('Version {number}', number=version.version)}** · {t.moment(version.created_at)}")
            st.caption(
                t("{rows} rows, {labels} labels", rows=t.number(version.rows), labels=t.number(len(version.labels)))
            )
    with st.container(horizontal=True):
        for name, count in (
            (t("Added"), diff.num_added),
            (t("Removed"), diff.num_removed),
            (t("Label changed"), diff.num_relabelled),
            (t("In another split"), diff.num_moved),
            (t("As before"), diff.num_unchanged),
        ):
            st.metric(name, t.number(count), border=True)
    if not (diff.num_added or diff.num_removed or diff.num_relabelled or diff.num_moved):
        st.success(t("Both versions have the same rows."), icon=":material/check_circle:")
        return
    if old.labels != new.labels:
        st.subheader(t("Rows of each label, before and after"), anchor=False)
        _labels(old, new, t)
    removed, added = st.columns(2, gap="large")
    with removed:
        rows = [{t("Label"): row.label, t("Text"): row.text} for row in diff.removed]
        _rows(t("Removed rows"), rows, diff.num_removed, "removed", t)
    with added:
        rows = [{t("Label"): row.label, t("Text"): row.text} for row in diff.added]
        _rows(t("Added rows"), rows, diff.num_added, "added", t)
    relabelled = [
        {t("Label before"): row.old_label, t("Label after"): row.new_label, t("Text"): row.text}
        for row in diff.relabelled
    ]
    _rows(t("Rows with another label"), relabelled, diff.num_relabelled, "relabelled", t)


def _rows(title: str, rows: Sequence[Row], total: int, kind: str, t: Words) -> None:
    st.markdown(f"**{title}**")
    if not rows:
        st.caption(t("None."))
        return
    table(rows, f"rows_{kind}", t, {t("Text"): st.column_config.TextColumn(width="large")})
    if total > len(rows):
        st.caption(t("The first {shown} of {total}", shown=t.number(len(rows)), total=t.number(total)))


def _labels(old: VersionItem, new: VersionItem, t: Words) -> None:
    """Two bars a label; of many those that differ most, and all in the table."""
    before, after = t("Version {number}", number=old.version), t("Version {number}", number=new.version)
    names = sorted({*old.labels, *new.labels}, key=lambda name: -max(old.labels.get(name, 0), new.labels.get(name, 0)))
    differing = sorted(names, key=lambda name: -abs(old.labels.get(name, 0) - new.labels.get(name, 0)))[:MAX_LABELS]
    shown = [name for name in names if name in differing]
    bars = [
        {"label": name, "version": title, "rows": counts.get(name, 0)}
        for name in shown
        for title, counts in ((before, old.labels), (after, new.labels))
    ]
    chart = (
        alt.Chart(alt.Data(values=bars))
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            x=alt.X("rows:Q", title=t("Rows"), axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("label:N", sort=shown, title=t("Label"), axis=alt.Axis(labelLimit=180)),
            yOffset=alt.YOffset("version:N", sort=[before, after]),
            color=alt.Color("version:N", sort=[before, after], legend=alt.Legend(title=None, orient="top")),
            tooltip=[
                alt.Tooltip("label:N", title=t("Label")),
                alt.Tooltip("version:N", title=t("Version")),
                alt.Tooltip("rows:Q", title=t("Rows"), format=","),
            ],
        )
        .properties(height=90 + ROW_HEIGHT * max(2, len(shown)))
    )
    numbers = [{t("Label"): name, before: old.labels.get(name, 0), after: new.labels.get(name, 0)} for name in names]
    figure(chart, numbers, "labels_of_versions", t)

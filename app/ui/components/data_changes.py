"""What turns rows into others: changes to a file that is mended, differences between two versions."""

from collections.abc import Sequence

import streamlit as st

from app.schemas.data_fixes import Fixed
from app.schemas.datasets import DiffView
from app.ui.components.curves import Row
from app.ui.components.findings import title_of
from app.ui.words import N_, Words

_ACTIONS = {"drop": N_("left out"), "repair": N_("repaired"), "relabel": N_("label changed")}


def show_changes(fixed: Fixed, t: Words) -> None:
    """Each change as before and after; of many the first."""
    if not fixed.counts:
        st.caption(t("Nothing is changed by that."))
        return
    before, after = t.number(fixed.rows_before), t.number(fixed.rows_after)
    st.markdown(t("{before} rows become {after}. Your file itself stays as it is.", before=before, after=after))
    counts = [
        {t("Change"): _action(one.action, t), t("Reason"): title_of(one.code, t), t("Rows"): one.count}
        for one in fixed.counts
    ]
    st.dataframe(counts, hide_index=True)
    with st.expander(t("Before and after"), expanded=True):
        rows = [
            {
                t("Row"): one.row,
                t("Change"): _action(one.action, t),
                t("Before"): one.before,
                t("After"): one.after,
                t("Reason"): title_of(one.code, t),
            }
            for one in fixed.changes
        ]
        wide = st.column_config.TextColumn(width="large")
        st.dataframe(rows, hide_index=True, column_config={t("Before"): wide, t("After"): wide})
        total = sum(one.count for one in fixed.counts)
        if total > len(fixed.changes):
            st.caption(t("The first {shown} of {total}", shown=t.number(len(fixed.changes)), total=t.number(total)))


def show_diff(diff: DiffView, t: Words) -> None:
    """What changed from one version to another."""
    with st.container(horizontal=True):
        for name, count in (
            (t("Added"), diff.num_added),
            (t("Removed"), diff.num_removed),
            (t("Label changed"), diff.num_relabelled),
            (t("In another split"), diff.num_moved),
            (t("As before"), diff.num_unchanged),
        ):
            st.metric(name, t.number(count), border=True)
    for title, total, rows in (
        (t("Added rows"), diff.num_added, [row.model_dump() for row in diff.added]),
        (t("Removed rows"), diff.num_removed, [row.model_dump() for row in diff.removed]),
        (t("Rows with another label"), diff.num_relabelled, [row.model_dump() for row in diff.relabelled]),
    ):
        if rows:
            st.markdown(f"**{title}**")
            _table(rows, t)
            if total > len(rows):
                st.caption(t("The first {shown} of {total}", shown=t.number(len(rows)), total=t.number(total)))


def _table(rows: Sequence[Row], t: Words) -> None:
    names = {
        "text": t("Text"),
        "label": t("Label"),
        "old_label": t("Label before"),
        "new_label": t("Label after"),
    }
    st.dataframe(
        [{names[key]: value for key, value in row.items()} for row in rows],
        hide_index=True,
        column_config={t("Text"): st.column_config.TextColumn(width="large")},
    )


def _action(action: str, t: Words) -> str:
    return t(_ACTIONS[action]) if action in _ACTIONS else action

"""What mending a file changes in it, row by row."""

import streamlit as st

from app.schemas.data_fixes import Fixed
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


def _action(action: str, t: Words) -> str:
    return t(_ACTIONS[action]) if action in _ACTIONS else action

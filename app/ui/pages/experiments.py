"""Experiments: every run that one may see, to search, sort and choose from; one in full; some side by side."""

from datetime import timedelta
from typing import Any

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from app.schemas.experiments import ExperimentItem
from app.schemas.paging import Page
from app.ui.components import comparison, experiment
from app.ui.components.curves import as_csv
from app.ui.components.filters import TITLES, condition
from app.ui.components.links import link
from app.ui.components.paging import Pager
from app.ui.components.states import empty, guarded
from app.ui.components.task_words import STATES
from app.ui.context import Visitor
from app.ui.words import N_, Words

PAGE_SIZE = 25
MAX_EXPORTED = 10_000
COLUMNS = TITLES | {"owner": N_("Owner")}
SHOWN_AT_FIRST = ("name", "state", "accuracy", "macro_f1", "dataset", "base_model", "runtime_seconds", "created_at")
OPENED = "experiments_opened"
PERCENT = ("accuracy", "macro_f1")


def draw(visitor: Visitor) -> None:
    """Draw the list, one run (`?run=`), or several beside each other (`?compare=`)."""
    if run := st.query_params.get("run"):
        experiment.draw(visitor, run)
    elif names := st.query_params.get_all("compare"):
        comparison.draw(visitor, names)
    else:
        _list(visitor)


def _list(visitor: Visitor) -> None:
    t = visitor.t
    st.title(t("Experiments"), anchor=False)
    st.caption(t("Every training leaves one: its scores, its reports and the model. Choose one to look into it."))
    everyone = _whose(visitor)
    where = condition("experiments", t)
    order, columns = _order(t)
    pager = Pager("experiments", (where, order, everyone))
    with guarded():
        fetch = visitor.client.experiments.page if everyone else visitor.client.experiments.own_page
        with st.spinner(t("Loading…")):
            page = pager.page(lambda cursor: fetch(where=where, sort=order, limit=PAGE_SIZE, cursor=cursor))
        if page.items:
            shown = (where, order, everyone, pager.cursor, st.session_state.get(OPENED, 0))
            _table(page, columns, f"experiments_{hash(shown)}", t)
            pager.draw(page, t)
            _export(visitor, where, order, everyone=everyone)
        elif where:
            empty(t("No run is like that."), t("Change the search or the filter."), ":material/filter_alt_off:")
        else:
            empty(t("There are no experiments yet."), t("The first training makes one."), ":material/science:")
            if visitor.may("train"):
                link("train", t("Train a model"), icon=":material/model_training:")


def _whose(visitor: Visitor) -> bool:
    if not visitor.may("experiment:read-all"):
        return False
    words = {False: visitor.t("Mine and shared with me"), True: visitor.t("Everybody's")}
    return bool(
        st.segmented_control(
            visitor.t("Whose"),
            list(words),
            default=False,
            required=True,
            format_func=words.__getitem__,
            key="experiments_whose",
            label_visibility="collapsed",
            persist_state="page",
        )
    )


def _order(t: Words) -> tuple[str, list[str]]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        column = st.selectbox(
            t("Sort by"),
            list(TITLES),
            index=list(TITLES).index("created_at"),
            format_func=lambda name: t(TITLES[name]),
            key="experiments_sort",
            persist_state="page",
            width=220,
        )
        ascending = st.toggle(t("Smallest first"), key="experiments_ascending", persist_state="page")
        with st.popover(t("Columns"), icon=":material/view_column:"):
            columns = st.multiselect(
                t("Columns to show"),
                list(COLUMNS),
                default=list(SHOWN_AT_FIRST),
                format_func=lambda name: t(COLUMNS[name]),
                key="experiments_columns",
                persist_state="session",
            )
    return ("" if ascending else "-") + str(column), [str(one) for one in columns]


def _table(page: Page[ExperimentItem], columns: list[str], key: str, t: Words) -> None:
    names = [item.name for item in page.items]
    with st.container(horizontal=True, vertical_alignment="center"):
        action = st.empty()
    chosen = st.dataframe(
        [_row(item, columns, t) for item in page.items],
        hide_index=True,
        height="content",
        key=key,
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        placeholder="–",
        column_config=_formats(t),
    )
    if cells := chosen["selection"]["cells"]:
        _go({"run": names[cells[0][0]]})
    picked = [names[row] for row in chosen["selection"]["rows"] if row < len(names)]
    with action.container(horizontal=True, vertical_alignment="center"):
        _actions(picked, t)


def _actions(picked: list[str], t: Words) -> None:
    """What can be done with the runs that were ticked."""
    st.button(
        t("Open"),
        icon=":material/open_in_full:",
        disabled=len(picked) != 1,
        on_click=_set,
        args=({"run": picked[0] if picked else ""},),
    )
    st.button(
        t("Compare"),
        icon=":material/compare_arrows:",
        type="primary",
        disabled=not 2 <= len(picked) <= comparison.MAX_COMPARED,
        on_click=_set,
        args=({"compare": picked},),
    )
    st.caption(t("Click a row to open it, or tick two to {most} of them to compare.", most=comparison.MAX_COMPARED))


def _set(query: dict[str, Any]) -> None:
    st.query_params.from_dict(query)


def _go(query: dict[str, Any]) -> None:
    _set(query)
    # A browser remembers what was chosen in a table of the same key: coming back would lead here again.
    st.session_state[OPENED] = st.session_state.get(OPENED, 0) + 1
    st.rerun()


def _formats(t: Words) -> dict[str, ColumnConfig]:
    """Values stay what they are, so that a table sorts them by a click on a title."""
    return {
        **{t(COLUMNS[name]): st.column_config.NumberColumn(format="percent") for name in PERCENT},
        t(COLUMNS["loss"]): st.column_config.NumberColumn(format="%.4f"),
        t(COLUMNS["runtime_seconds"]): st.column_config.NumberColumn(format="localized"),
        t(COLUMNS["created_at"]): st.column_config.DatetimeColumn(format="localized", timezone=st.context.timezone),
    }


def _row(item: ExperimentItem, columns: list[str], t: Words) -> dict[str, Any]:
    """A line of the table, by the titles of its columns."""
    written = {
        "state": t(STATES[item.state][0]) if item.state else None,
        "runtime_seconds": None if item.runtime_seconds is None else timedelta(seconds=round(item.runtime_seconds)),
    }
    return {t(COLUMNS[name]): written.get(name, getattr(item, name)) for name in columns or SHOWN_AT_FIRST}


def _export(visitor: Visitor, where: str | None, order: str, *, everyone: bool) -> None:
    def content() -> bytes:
        found = visitor.client.experiments.all(everyone=everyone, where=where, sort=order, at_most=MAX_EXPORTED)
        rows = [item.model_dump(mode="json", exclude={"error", "stage", "progress"}) for item in found]
        return as_csv(rows)

    st.download_button(
        visitor.t("Download this list as CSV"),
        data=content,
        file_name="experiments.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        type="tertiary",
        help=visitor.t("All pages of it, {count} runs at most.", count=visitor.t.number(MAX_EXPORTED)),
    )

"""The form that makes chosen files the next version of a name."""

import streamlit as st

from app.client.endpoint import body_of
from app.domain.errors import PlatformError
from app.schemas.datasets import AddForm, DatasetCreated
from app.ui.components import data_answers, drafts
from app.ui.components.drafts import Draft
from app.ui.components.states import show_error
from app.ui.context import Visitor

_WANTED = "data_store_form"


def store(visitor: Visitor, draft: Draft, *, is_ready: bool) -> None:
    """Draw it; once the files are stored, the page shows the new version."""
    t = visitor.t
    st.subheader(t("Store it as a data set"), anchor=False)
    if not is_ready:
        st.info(
            t("Something blocks training. Fix it above, or correct your file and choose it again."),
            icon=":material/arrow_upward:",
        )
        return
    with st.form("data_store", border=True):
        name = st.text_input(
            t("Name of the data set"),
            value=draft.name or drafts.name_from(draft.paths["train"].name),
            max_chars=100,
            key=f"data_store_name_{draft.folder.name}",
            persist_state="page",
            help=t("Under a name that you have already, it becomes the next version. Letters, digits and . _ -"),
        )
        share = 10
        if "eval" not in draft.paths:
            share = st.slider(
                t("Share of rows held out to measure on (%)"),
                1,
                50,
                10,
                key=f"data_store_share_{draft.folder.name}",
                persist_state="page",
                help=t("The model never trains on these rows. They stay the same in later versions."),
            )
        if st.form_submit_button(t("Store"), type="primary", icon=":material/save:"):
            draft.name = name.strip()
            st.session_state[_WANTED] = {"name": draft.name, "eval_fraction": share / 100}
    wanted = st.session_state.get(_WANTED)
    if wanted is not None:
        _store(visitor, draft, wanted)


def _store(visitor: Visitor, draft: Draft, wanted: dict[str, object]) -> None:
    t = visitor.t
    try:
        form = body_of(AddForm, **wanted, **draft.wishes())
        made = data_answers.ask(visitor, draft, form, DatasetCreated)
    except PlatformError as error:
        if not error.retryable:
            st.session_state.pop(_WANTED)
        show_error(error, t)
        return
    if made is not None:
        st.session_state.pop(_WANTED)
        drafts.forget()
        said = t("Stored as {reference}.") if made.is_new else t("{reference} has exactly these rows already.")
        st.toast(said.format(reference=made.reference), icon=":material/check:")
        st.query_params.from_dict({"dataset": made.name, "version": str(made.version)})
        st.rerun()

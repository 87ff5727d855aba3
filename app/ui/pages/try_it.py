"""Try it: one text against one finished run or two side by side, or a whole file against one."""

import streamlit as st

from app.schemas.inference import MAX_TRIED_CHARACTERS
from app.ui.components.answers import answered
from app.ui.components.file_labels import label_a_file
from app.ui.components.run_choice import chosen_runs
from app.ui.components.states import guarded
from app.ui.components.wrong_texts import texts_it_got_wrong
from app.ui.context import Visitor

TEXT, ASKED = "try:text", "try:asked"


def draw(visitor: Visitor) -> None:
    """Draw the page; `?run=NAME` chooses a run and `&and=NAME` a second one."""
    t = visitor.t
    st.title(t("Try a model"), anchor=False)
    st.caption(t("Ask a model that has finished its training about texts of your own."))
    runs = chosen_runs(visitor)
    if not runs:
        return
    one, many = st.tabs([t("One text"), t("A whole file")], key="try:part", on_change="rerun")
    if one.open:
        with one:
            _one_text(visitor, runs)
    if many.open:
        with many, guarded():
            label_a_file(visitor, runs[0])


def _one_text(visitor: Visitor, runs: list[str]) -> None:
    t = visitor.t
    with st.form("try:form", border=False):
        text = st.text_area(
            t("Your text"),
            key=TEXT,
            max_chars=MAX_TRIED_CHARACTERS,
            height=140,
            placeholder=t("A sentence, a review, a message…"),
            help=t("It goes to the model, and is not stored."),
            persist_state="session",
        )
        if st.form_submit_button(t("Ask"), type="primary", icon=":material/send:"):
            st.session_state[ASKED] = text
    texts_it_got_wrong(visitor, runs[0], TEXT)
    asked = st.session_state.get(ASKED)
    if asked is None:
        return
    if not asked.strip():
        st.warning(t("Type a text first."), icon=":material/edit:")
        return
    for run, column in zip(runs, st.columns(len(runs), gap="medium"), strict=True):
        with column:
            answered(visitor, run, asked)

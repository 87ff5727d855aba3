"""Three steps to a first model, for whoever has none."""

import shutil
from pathlib import Path

import streamlit as st

from app.ui.components import drafts
from app.ui.components.drafts import Draft
from app.ui.components.links import go, link
from app.ui.components.states import guarded
from app.ui.context import Visitor

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "reviews_train.csv"
"""Comes with the repository; where the program is installed without it, nobody is offered it."""
_WANTED = "home_example"


def first_steps(visitor: Visitor) -> None:
    """Draw them; those that are done say so."""
    t = visitor.t
    if not visitor.may("train"):
        st.markdown(t("Here you see what others share with you."))
        link("data", t("Data"), icon=":material/database:")
        link("experiments", t("Experiments"), icon=":material/science:")
        return
    has_data = False
    with guarded():
        has_data = bool(visitor.client.datasets.page(limit=1).items)
    if st.session_state.get(_WANTED):
        _take_example()
    st.markdown(t("Three steps to your first model. It takes a few minutes."))
    first, second, third = st.columns(3, gap="medium")
    with first, st.container(border=True, height="stretch"):
        _title(t("1. Bring your texts"), is_done=has_data)
        st.markdown(t("A table with a text and a label in each row. It is checked before anything is stored."))
        link("data", t("Upload data"), icon=":material/upload_file:")
        if EXAMPLE.is_file() and visitor.may("dataset:write"):
            st.button(
                t("Try it with the example"),
                icon=":material/lightbulb:",
                help=t("300 short reviews. They are checked first; nothing is stored before you say so."),
                key=_WANTED,
            )
    with second, st.container(border=True, height="stretch"):
        _title(t("2. Train"), is_done=False)
        st.markdown(t("Good settings are chosen for you, and you see beforehand what it will take."))
        link("train", t("Train a model"), icon=":material/model_training:")
    with third, st.container(border=True, height="stretch"):
        _title(t("3. See how good it is"), is_done=False)
        st.markdown(t("Scores on rows it has never seen, and its worst mistakes."))
        link("experiments", t("Experiments"), icon=":material/science:")


def _take_example() -> None:
    """Go on as if it had been chosen on the page of the data."""
    draft = Draft()
    shutil.copyfile(EXAMPLE, draft.place("train", EXAMPLE.name))
    drafts.keep(draft)
    go("data")


def _title(text: str, *, is_done: bool) -> None:
    mark = ":green[:material/check_circle:] " if is_done else ""
    st.markdown(f"#### {mark}{text}")

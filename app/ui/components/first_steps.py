"""Three steps to a first model, for whoever has none."""

import streamlit as st

from app.ui.components.links import link
from app.ui.components.states import guarded
from app.ui.context import Visitor

EXAMPLE = "examples/reviews_train.csv"


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
    st.markdown(t("Three steps to your first model. It takes a few minutes."))
    first, second, third = st.columns(3, gap="medium")
    with first, st.container(border=True, height="stretch"):
        _title(t("1. Bring your texts"), is_done=has_data)
        st.markdown(t("A table with a text and a label in each row. It is checked before anything is stored."))
        st.caption(
            t("To try it out, take {file} from the folder of this program: 300 short reviews.", file=f"`{EXAMPLE}`")
        )
        link("data", t("Upload data"), icon=":material/upload_file:")
    with second, st.container(border=True, height="stretch"):
        _title(t("2. Train"), is_done=False)
        st.markdown(t("Good settings are chosen for you, and you see beforehand what it will take."))
        link("train", t("Train a model"), icon=":material/model_training:")
    with third, st.container(border=True, height="stretch"):
        _title(t("3. See how good it is"), is_done=False)
        st.markdown(t("Scores on rows it has never seen, and its worst mistakes."))
        link("experiments", t("Experiments"), icon=":material/science:")


def _title(text: str, *, is_done: bool) -> None:
    mark = ":green[:material/check_circle:] " if is_done else ""
    st.markdown(f"#### {mark}{text}")

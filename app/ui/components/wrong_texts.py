"""Texts of a run's own evaluation to ask it about again: those it got wrong tell the most."""

import streamlit as st

from app.ui.components.artifacts import look_into
from app.ui.components.states import guarded, plain
from app.ui.components.verdict import MEASURED
from app.ui.context import Visitor

MAX_OFFERED = 5
MAX_SHOWN = 90


def texts_it_got_wrong(visitor: Visitor, run: str, key: str) -> None:
    """Offer some; the one that is chosen is put into the text field called `key`."""
    t = visitor.t
    part = st.expander(
        t("Texts it got wrong in its evaluation"), icon=":material/playlist_remove:", key="try:wrong", on_change="rerun"
    )
    if not part.open:
        return
    with part, guarded():
        measured = look_into(visitor, visitor.client.artifacts.list(run), MEASURED) or {}
        found = [one for split in measured.values() for one in split.get("mistakes", ())][:MAX_OFFERED]
        if not found:
            st.caption(t("Not one row is wrong."))
        for number, one in enumerate(found):
            text = str(one["text"])
            short = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
            st.button(plain(short), key=f"try:wrong:{number}", type="tertiary", on_click=_put, args=(key, text))
            wanted, said = plain(str(one["label"])), plain(str(one["predicted"]))
            st.caption(t("labelled “{wanted}”, taken for “{said}”", wanted=wanted, said=said))


def _put(key: str, text: str) -> None:
    st.session_state[key] = text

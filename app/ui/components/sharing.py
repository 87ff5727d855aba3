"""With whom something is shared, and a form to share it with more."""

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from app.domain.principal import EVERYONE
from app.schemas.shares import ShareView
from app.ui.components.states import guarded, plain
from app.ui.words import Words


def sharing(
    key: str,
    shares: Sequence[ShareView],
    share: Callable[[str], object],
    unshare: Callable[[str], object],
    t: Words,
) -> None:
    """Draw it; `share` and `unshare` take an account's name, or `*` for everyone of the installation."""
    everyone = any(one.grantee == EVERYONE for one in shares)
    if not shares:
        st.caption(t("Nobody but you and the administrators can see this."))
    for one in shares:
        with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_share_{one.grantee}"):
            name = t("Everyone of this installation") if one.grantee == EVERYONE else one.grantee
            st.markdown(f":material/{'groups' if one.grantee == EVERYONE else 'person'}: {plain(name)}")
            st.caption(t("since {time}", time=t.moment(one.created_at)))
            if st.button(t("Take back"), key=f"{key}_unshare_{one.grantee}", type="tertiary", icon=":material/close:"):
                _then_again(partial(unshare, one.grantee))
    with st.form(f"{key}_share_form", clear_on_submit=True, border=False):
        grantee = st.text_input(
            t("Share with"),
            max_chars=64,
            placeholder=t("a user name"),
            help=t("They can read it, and change nothing."),
            key=f"{key}_grantee",
            persist_state="page",
        )
        if st.form_submit_button(t("Share"), icon=":material/person_add:") and grantee.strip():
            _then_again(partial(share, grantee.strip()))
    if not everyone and st.button(t("Share with everyone"), key=f"{key}_everyone", icon=":material/groups:"):
        _then_again(partial(share, EVERYONE))


def _then_again(change: Callable[[], object]) -> None:
    """Do it, and draw the page anew; where it failed, the page says why."""
    with guarded():
        change()
        st.rerun()

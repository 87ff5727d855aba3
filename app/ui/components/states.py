"""What a page shows in place of what was asked for: signed out, not allowed, not there, no answer, nothing yet."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.errors import StreamlitDuplicateElementKey

from app.domain.errors import Forbidden, NotFound, PlatformError, TooManyRequests, Unauthenticated
from app.ui import context
from app.ui.components.problem_words import in_words
from app.ui.words import Words

SECONDS_BETWEEN_TRIES = 3.0
_ADDRESS = re.compile(r"//|www(?=\.)|@(?=[-\w\\]+\.\w)", re.IGNORECASE)
"""What Markdown would make a link of, escaped or not; an invisible joiner after it keeps it a text."""


@contextmanager
def guarded() -> Iterator[None]:
    """Say what is wrong where something is, in place of what could not be shown."""
    try:
        yield
    except PlatformError as error:
        show_error(error, context.words())


def show_error(error: PlatformError, t: Words) -> None:
    """One error as a person can act on it; where the platform does not answer, the page tries again by itself."""
    if isinstance(error, Unauthenticated):
        _signed_out(t)
    elif isinstance(error, Forbidden):
        st.warning(t("Your account may not do this."), icon=":material/lock:")
        st.caption(t("Ask an administrator of this installation."))
    elif isinstance(error, NotFound):
        st.info(t("This is not here, or not shared with you."), icon=":material/search_off:")
    elif isinstance(error, TooManyRequests):
        waiting = t("Too much at once. Try again in {time}.", time=t.duration(error.retry_after_seconds))
        st.warning(f"{waiting} {plain(t.told(error.message))}", icon=":material/hourglass:")
    elif error.retryable:
        st.warning(
            t("The platform does not answer. This page goes on as soon as it does."), icon=":material/cloud_off:"
        )
        st.fragment(_try_again, run_every=SECONDS_BETWEEN_TRIES)()
    else:
        st.error(plain(in_words(error, t)), icon=":material/error:")
        if not t.knows(error.message) and not error.places:
            st.caption(plain(error.message))
        for pointer, detail in getattr(error, "places", ()):
            st.markdown(f"- `{pointer}` {plain(t.told(detail))}")
        if error.hint:
            st.caption(plain(t.told(error.hint)))


def empty(title: str, hint: str = "", icon: str = ":material/inbox:") -> None:
    """Nothing there yet, and what would bring it."""
    with st.container(border=True, horizontal_alignment="center"):
        st.markdown(f"{icon} **{plain(title)}**")
        if hint:
            st.caption(plain(hint))


def plain(text: str) -> str:
    """A text that came from elsewhere, so that Markdown shows it as it is."""
    for sign in "\\`*_{}[]()<>#+-!|$~:":
        text = text.replace(sign, f"\\{sign}")
    return _ADDRESS.sub(lambda found: f"{found[0]}\u2060", text)


def _signed_out(t: Words) -> None:
    above = st.container()
    try:
        is_back = st.button(t("I have signed in"), key="signed_in_again")
    except StreamlitDuplicateElementKey:
        return  # another part of the page has said so
    with above:
        st.warning(t("Your sign-in has ended. What you typed is still here."), icon=":material/login:")
        st.caption(t("Passwords are not kept; type them again."))
        st.html(f'<a href="/sign-in?again=1" target="_blank" rel="noopener">{t("Sign in again in a new tab")}</a>')
    if is_back:
        st.rerun(scope="app")


def _try_again() -> None:
    """Runs again and again; asks for the whole page once the platform answers."""
    try:
        context.visitor()
    except PlatformError as error:
        if error.retryable:
            return
    st.rerun(scope="app")

"""Ways from one page to another, and to one thing on a page, in the same tab and with what was typed kept."""

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from app.ui.components.states import plain


def link(path: str, label: str, icon: str | None = None, help: str | None = None, **query: str) -> None:  # noqa: A002
    """A link to the page at `path` (`data`), with query parameters; the label may come from anywhere."""
    st.page_link(_page(path), label=plain(label), icon=icon, help=help, query_params=query or None)


def go(path: str, **query: str) -> None:
    """Leave for the page at `path`; nothing after this runs."""
    st.switch_page(_page(path), query_params=query or None)


def here(label: str, key: str, icon: str | None = None, **query: str) -> None:
    """A way to something else on the page one is on: its address follows, which a link to the same page does not do."""
    if st.button(plain(label), key=key, icon=icon, type="tertiary"):
        st.query_params.from_dict(query)
        st.rerun()


def _page(path: str) -> StreamlitPage:
    """Streamlit knows a page by its address alone."""
    return st.Page(_nothing, title=path, url_path=path)


def _nothing() -> None:
    """The page itself is drawn by the one that was registered."""

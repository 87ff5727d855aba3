"""Home: what runs, what has ended, what needs somebody; for newcomers the way to a first model."""

import streamlit as st

from app.ui.context import Visitor


def draw(visitor: Visitor) -> None:
    """Draw the page."""
    t = visitor.t
    st.title(t("Home"))

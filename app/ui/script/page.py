"""The script of the interface: who looks, where one can go, and the page that was asked for."""

import streamlit as st

from app.domain.errors import PlatformError
from app.ui import context
from app.ui.components.states import show_error
from app.ui.navigation import navigation

# Streamlit writes white on the primary colour, which in the dark is too light for that.
ON_PRIMARY = """<style>
[data-testid=stBaseButton-primary], [data-testid=stBaseButton-primaryFormSubmit] { color: light-dark(#fff, #0e1015); }
</style>"""


def main() -> None:
    """Draw one page."""
    st.set_page_config(page_title="Finetune-30-days", page_icon="🎛️", layout="wide")
    st.html(ON_PRIMARY)
    try:
        visitor = context.visitor()
    except PlatformError as error:
        show_error(error, context.words())
        return
    navigation(visitor).run()


main()

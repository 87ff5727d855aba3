"""Lists that the server hands out page by page: where the reader stands, and the way back and on."""

from typing import Any

import streamlit as st

from app.schemas.paging import MAX_COUNTED, Page
from app.ui.words import Words


class Pager:
    """Where a reader stands in one list; a change of `scope` (filter, order) leads back to the first page."""

    def __init__(self, key: str, scope: object = None) -> None:
        self._key = f"{key}_pager"
        known: tuple[object, list[str | None]] | None = st.session_state.get(self._key)
        if known is None or known[0] != scope:
            known = (scope, [None])
            st.session_state[self._key] = known
        self._cursors = known[1]

    @property
    def cursor(self) -> str | None:
        """What to ask the server for; None for the first page."""
        return self._cursors[-1]

    @property
    def number(self) -> int:
        """Which page this is, from 1."""
        return len(self._cursors)

    def _back(self) -> None:
        self._cursors.pop()

    def draw(self, page: Page[Any], t: Words) -> None:
        """The buttons below a list, and how much of it there is."""
        total = t("more than {count}", count=t.number(MAX_COUNTED)) if page.total is None else t.number(page.total)
        if page.next is None and self.number == 1:
            st.caption(t("{total} in all", total=total))
            return
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                t("Back"),
                key=f"{self._key}_back",
                icon=":material/chevron_left:",
                disabled=self.number == 1,
                on_click=self._back,
            )
            st.button(
                t("Next"),
                key=f"{self._key}_next",
                icon=":material/chevron_right:",
                icon_position="right",
                disabled=page.next is None,
                on_click=self._cursors.append,
                args=(page.next,),
            )
            st.caption(t("Page {number}, {total} in all", number=t.number(self.number), total=total))

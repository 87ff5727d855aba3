"""Lists that the server hands out page by page: where the reader stands, and the way back and on."""

from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st
from pydantic import BaseModel

from app.schemas.paging import MAX_COUNTED, Page
from app.ui.words import Words

Item = TypeVar("Item", bound=BaseModel)


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

    def page(self, fetch: Callable[[str | None], Page[Item]]) -> Page[Item]:
        """What `fetch` finds where the reader stands; where the last of that page is gone, the one before."""
        page = fetch(self.cursor)
        while not page.items and self.number > 1:
            self._cursors.pop()
            page = fetch(self.cursor)
        return page

    def _back(self, number: int) -> None:
        if self.number == number > 1:
            self._cursors.pop()

    def _on(self, number: int, cursor: str | None) -> None:
        """From page `number`; a second click finds the reader elsewhere already."""
        if self.number == number:
            self._cursors.append(cursor)

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
                args=(self.number,),
            )
            st.button(
                t("Next"),
                key=f"{self._key}_next",
                icon=":material/chevron_right:",
                icon_position="right",
                disabled=page.next is None,
                on_click=self._on,
                args=(self.number, page.next),
            )
            st.caption(t("Page {number}, {total} in all", number=t.number(self.number), total=total))

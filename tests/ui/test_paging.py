"""Where a reader stands in a list: one page on with a double click, and never on a page that is gone."""

from streamlit.testing.v1 import AppTest


def _listed() -> None:
    import streamlit as st
    from pydantic import BaseModel

    from app.schemas.paging import Page
    from app.ui.components.paging import Pager
    from app.ui.words import Words

    class One(BaseModel):
        number: int

    there = st.session_state.setdefault("there", 7)
    pager = st.session_state["pager"] = Pager("list")

    def fetch(cursor: str | None) -> Page[One]:
        first = int(cursor or 0)
        found = [One(number=number) for number in range(there)][first : first + 2]
        return Page[One](items=found, total=there, next=str(first + 2) if first + 2 < there else None)

    page = pager.page(fetch)
    st.text(" ".join(str(one.number) for one in page.items))
    pager.draw(page, Words("en"))


def test_a_second_click_does_nothing_and_a_page_that_is_gone_leads_back() -> None:
    page = AppTest.from_function(_listed).run()
    pager = page.session_state["pager"]
    pager._on(1, "2")
    pager._on(1, "2")
    assert page.run().text[0].value == "2 3"
    page.button(key="list_pager_next").click().run()
    page.button(key="list_pager_next").click().run()
    assert page.text[0].value == "6"
    page.session_state["there"] = 4
    assert page.run().text[0].value == "2 3"
    assert page.caption[0].value == "Page 2, 4 in all"
    page.button(key="list_pager_back").click().run()
    page.session_state["pager"]._back(2)
    page.session_state["pager"]._back(1)
    assert page.run().text[0].value == "0 1"

"""Where one can go: pages by section, those alone that the account may use."""

from collections.abc import Callable
from functools import partial
from html import escape
from typing import NamedTuple
from urllib.parse import quote, urlencode

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from app.ui import pages
from app.ui.components.states import guarded
from app.ui.context import Visitor
from app.ui.words import LANGUAGES, N_


class Place(NamedTuple):
    """A page: its address, its title in English, its icon, the permission it needs and what draws it."""

    path: str
    title: str
    icon: str
    permission: str
    draw: Callable[[Visitor], None]


SECTIONS: dict[str, tuple[Place, ...]] = {
    "": (Place("home", N_("Home"), ":material/home:", "account", pages.home.draw),),
    N_("Work"): (
        Place("data", N_("Data"), ":material/database:", "dataset:read", pages.data.draw),
        Place("train", N_("Train"), ":material/model_training:", "train", pages.train.draw),
        Place("tasks", N_("Tasks"), ":material/checklist:", "task:read", pages.tasks.draw),
        Place("experiments", N_("Experiments"), ":material/science:", "experiment:read", pages.experiments.draw),
        Place("try", N_("Try it"), ":material/chat:", "experiment:read", pages.try_it.draw),
    ),
    N_("Installation"): (
        Place("monitor", N_("Monitor"), ":material/monitor_heart:", "metrics:read", pages.monitor.draw),
        Place(
            "administration",
            N_("Administration"),
            ":material/admin_panel_settings:",
            "users:manage",
            pages.administration.draw,
        ),
    ),
    N_("You"): (Place("account", N_("Your account"), ":material/person:", "account", pages.account.draw),),
}


def navigation(visitor: Visitor) -> StreamlitPage:
    """Offer the pages; the one that was asked for."""
    t = visitor.t
    offered = {
        t(section) if section else "": [
            st.Page(
                partial(_draw, place, visitor),
                title=t(place.title),
                icon=place.icon,
                url_path=place.path,
                default=place.path == "home",
            )
            for place in places
            if visitor.may(place.permission)
        ]
        for section, places in SECTIONS.items()
    }
    page = st.navigation({section: found for section, found in offered.items() if found})
    with st.sidebar:
        _about(visitor, page.url_path)
    return page


def _draw(place: Place, visitor: Visitor) -> None:
    with guarded():
        place.draw(visitor)


def _about(visitor: Visitor, path: str) -> None:
    """Who is signed in, the other languages on this page, the way out."""
    t = visitor.t
    query = urlencode([(name, one) for name in st.query_params for one in st.query_params.get_all(name)])
    here = quote(f"/{path}" + (f"?{query}" if query else ""), safe="/")
    others = " · ".join(
        f'<a href="/language/{code}?next={here}" lang="{code.replace("_", "-")}">{escape(name)}</a>'
        for code, name in LANGUAGES.items()
        if code != t.language
    )
    st.html(f'<small>{escape(visitor.me.username)} · <a href="/sign-out">{t("Sign out")}</a><br>{others}</small>')

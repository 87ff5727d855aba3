"""Who looks at a page: the sign-in of its browser, the language, and where one can go."""

from dataclasses import dataclass

import streamlit as st

from app.client.client import Client
from app.domain.errors import Unauthenticated
from app.schemas.users import Me
from app.ui.gate import COOKIE, LANGUAGE_COOKIE
from app.ui.sessions import Sessions
from app.ui.words import LANGUAGES, Words, best_language

_installed: list[Sessions] = []


@dataclass(frozen=True)
class Visitor:
    """Whoever looks at a page; `client` speaks for them, `t` is their language."""

    me: Me
    client: Client
    t: Words

    def may(self, permission: str) -> bool:
        """Whether the account's role holds a permission."""
        return permission in self.me.permissions


def install(sessions: Sessions) -> None:
    """The sign-ins of this process."""
    _installed[:] = [sessions]


def session_id() -> str | None:
    """The id in the browser's cookie."""
    return st.context.cookies.get(COOKIE)


def words() -> Words:
    """The language somebody chose, or the best for the browser."""
    chosen = st.context.cookies.get(LANGUAGE_COOKIE)
    language = chosen if chosen in LANGUAGES else best_language([st.context.locale or ""])
    return Words(language, st.context.timezone)


def visitor() -> Visitor:
    """Whoever looks at this page; Unauthenticated where the sign-in has ended."""
    found = _installed[0].find(session_id()) if _installed else None
    if found is None:
        raise Unauthenticated("you are signed out")
    return Visitor(found.client.me.show(), found.client, words())


def show_fault() -> None:
    """What a page says where the fault is ours."""
    t = words()
    st.error(t("Something went wrong on our side. Nothing of yours is lost; try again."), icon=":material/error:")

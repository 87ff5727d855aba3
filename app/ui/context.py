"""Who looks at a page: the sign-in of its browser, the language, and where one can go."""

from dataclasses import dataclass

import streamlit as st

from app.client.client import Client
from app.domain.errors import Unauthenticated
from app.schemas.users import Me
from app.ui.gate import COOKIE, LANGUAGE_COOKIE
from app.ui.sessions import BrowserSession, Sessions
from app.ui.words import Words, language_of

_installed: list[Sessions] = []


@dataclass(frozen=True)
class Visitor:
    """Whoever looks at a page, and their language; `session_id` is that of their browser."""

    me: Me
    session_id: str
    t: Words

    @property
    def client(self) -> Client:
        """Speaks for them; Unauthenticated where the sign-in has ended since, as parts of pages outlive it."""
        return _found(self.session_id).client

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
    """The language somebody chose, or the best for the browser.

    Its own language comes first, also where its requests to open a socket do not name it; then all that it accepts.
    """
    accepted = ",".join(filter(None, (st.context.locale, st.context.headers.get("Accept-Language"))))
    return Words(language_of(st.context.cookies.get(LANGUAGE_COOKIE), accepted), st.context.timezone)


def visitor() -> Visitor:
    """Whoever looks at this page; Unauthenticated where the sign-in has ended."""
    known = session_id()
    return Visitor(_found(known).client.me.show(), known or "", words())


def _found(known: str | None) -> BrowserSession:
    found = _installed[0].find(known) if _installed else None
    if found is None:
        raise Unauthenticated("you are signed out")
    return found


def show_fault() -> None:
    """What a page says where the fault is ours."""
    t = words()
    st.error(t("Something went wrong on our side. Nothing of yours is lost; try again."), icon=":material/error:")

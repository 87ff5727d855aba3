"""Administration: who may use the installation and how much of it; the audit log."""

import streamlit as st

from app.domain.errors import Forbidden
from app.ui.components import accounts, audit_trail
from app.ui.components.states import guarded
from app.ui.context import Visitor


def draw(visitor: Visitor) -> None:
    """Draw the page, the part of it that is open."""
    t = visitor.t
    st.title(t("Administration"), anchor=False)
    parts = {
        t("Users"): ("users:manage", accounts.draw),
        t("Audit log"): ("audit:read", audit_trail.draw),
    }
    offered = {title: part for title, (permission, part) in parts.items() if visitor.may(permission)}
    if not offered:
        raise Forbidden("administration is for administrators")
    tabs = st.tabs(list(offered), key="administration", on_change="rerun")
    for tab, part in zip(tabs, offered.values(), strict=True):
        if tab.open:
            with tab, guarded():
                part(visitor)

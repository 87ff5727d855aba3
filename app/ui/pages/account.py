"""One's own account: its password, where it is signed in, and keys for programs."""

import streamlit as st

from app.schemas.users import ApiKeyView
from app.ui.components.states import empty, guarded, plain
from app.ui.context import Visitor
from app.ui.words import N_

ROLES = {"admin": N_("Administrator"), "user": N_("User"), "viewer": N_("Viewer")}
LIFETIMES = {30: N_("30 days"), 90: N_("90 days"), 365: N_("a year"), None: N_("for ever")}
NEW_KEY = "account_new_key"


def draw(visitor: Visitor) -> None:
    """Draw the page."""
    t, me = visitor.t, visitor.me
    st.title(t("Your account"), anchor=False)
    st.caption(f"{plain(me.username)} · {t(ROLES[me.role])} · {t('since {time}', time=t.moment(me.created_at))}")
    with guarded():
        _limits(visitor)
    for title, part in ((t("Password"), _password), (t("Where you are signed in"), _sessions), (t("API keys"), _keys)):
        st.subheader(title, anchor=False)
        with guarded():
            part(visitor)


def _limits(visitor: Visitor) -> None:
    t, limits = visitor.t, visitor.me.limits
    shown = {
        t("Trainings at once"): None if limits.max_running is None else t.number(limits.max_running),
        t("Waiting tasks"): None if limits.max_queued is None else t.number(limits.max_queued),
        t("Room for data"): None if limits.max_stored_bytes is None else t.size(limits.max_stored_bytes),
    }
    with st.container(horizontal=True):
        for title, value in shown.items():
            st.metric(title, value or t("no limit"), border=True, width=164)


def _password(visitor: Visitor) -> None:
    t = visitor.t
    st.caption(t("Last changed {time}.", time=t.ago(visitor.me.password_changed_at)))
    with st.expander(t("Change the password"), icon=":material/password:"), st.form("account_password", border=False):
        current = st.text_input(t("Current password"), type="password", autocomplete="current-password")
        new = st.text_input(
            t("New password"),
            type="password",
            help=t("At least 10 characters; a few words that do not belong together are best."),
        )
        again = st.text_input(t("New password once more"), type="password")
        keys_too = st.checkbox(
            t("End my API keys too"),
            help=t("Programs that use them then need new ones."),
            key="account_keys_too",
            persist_state="page",
        )
        if not st.form_submit_button(t("Change it"), type="primary"):
            return
        if not current or not new:
            st.warning(t("Fill in both fields."))
        elif new != again:
            st.warning(t("The new passwords differ."))
        else:
            visitor.client.me.change_password(current, new, revoke_api_keys=keys_too)
            st.success(t("The password is changed. Every other sign-in has ended."), icon=":material/check:")


def _sessions(visitor: Visitor) -> None:
    t = visitor.t
    for one in visitor.client.me.sessions():
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/devices: {plain(one.ip or t('unknown address'))}")
            st.caption(
                t("since {time}", time=t.moment(one.created_at))
                + " · "
                + t("used {time}", time=t.ago(one.refreshed_at))
            )
            if one.current:
                st.badge(t("This one"), color="green")
            elif st.button(t("End it"), key=f"account_session_{one.id}", type="tertiary", icon=":material/logout:"):
                visitor.client.me.end_session(one.id)
                st.rerun()


def _keys(visitor: Visitor) -> None:
    t = visitor.t
    st.caption(t("For programs that work in your name. They may do all that you may, but not change your account."))
    if key := st.session_state.get(NEW_KEY):
        st.success(t("Copy the key now: it is shown this once."), icon=":material/key:")
        st.code(key, language=None)
        st.button(t("I have copied it"), on_click=st.session_state.pop, args=(NEW_KEY,))
    found = visitor.client.api_keys.list()
    if not found:
        empty(t("You have no API keys."), icon=":material/key_off:")
    for one in found:
        _key(visitor, one)
    with (
        st.expander(t("Make a key"), icon=":material/add:"),
        st.form("account_key", border=False, clear_on_submit=True),
    ):
        name = st.text_input(
            t("What is it for?"),
            max_chars=100,
            placeholder=t("nightly training"),
            key="account_key_name",
            persist_state="page",
        )
        lifetime = st.selectbox(
            t("Valid for"),
            list(LIFETIMES),
            index=2,
            format_func=lambda days: t(LIFETIMES[days]),
            key="account_key_lifetime",
            persist_state="page",
        )
        if st.form_submit_button(t("Make the key"), type="primary") and name.strip():
            made = visitor.client.api_keys.create(name.strip(), expires_in_days=lifetime)
            st.session_state[NEW_KEY] = made.key
            st.rerun()


def _key(visitor: Visitor, one: ApiKeyView) -> None:
    t = visitor.t
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/key: {plain(one.name)}")
        st.code(f"{one.prefix}…", language=None, width="content")
        used = t("never used") if one.last_used_at is None else t("used {time}", time=t.ago(one.last_used_at))
        ends = t("for ever") if one.expires_at is None else t("ends {time}", time=t.ago(one.expires_at))
        st.caption(f"{used} · {ends}")
        with st.popover(t("Revoke"), icon=":material/delete:"):
            st.markdown(t("Programs that use **{name}** stop working at once.", name=plain(one.name)))
            if st.button(t("Revoke it"), key=f"account_key_{one.id}", type="primary"):
                visitor.client.api_keys.revoke(one.id)
                st.rerun()

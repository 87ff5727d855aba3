"""The accounts of an installation: to make, to change, to shut out; for administrators."""

import streamlit as st

from app.domain.principal import Role
from app.schemas.users import Limits, UpdateUser, UserView
from app.ui.components.paging import Pager
from app.ui.components.states import empty, guarded, plain
from app.ui.context import Visitor
from app.ui.words import N_

ROLES = {
    Role.ADMIN: (N_("Administrator"), N_("may do everything")),
    Role.USER: (N_("User"), N_("uploads, trains, shares")),
    Role.VIEWER: (N_("Viewer"), N_("sees what is shared with them")),
}
PAGE_SIZE = 20
GIGABYTE = 1_000_000_000
PASSWORD_HELP = N_("At least 10 characters; a few words that do not belong together are best.")


def draw(visitor: Visitor) -> None:
    """The list, and a form for a new one."""
    t = visitor.t
    with st.expander(t("Add an account"), icon=":material/person_add:"), guarded():
        _create(visitor)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        role = st.selectbox(
            t("Role"), list(Role), index=None, placeholder=t("every role"), format_func=lambda one: t(ROLES[one][0]),
            key="accounts_role", persist_state="page", width=220,
        )  # fmt: skip
        locked = st.toggle(t("Only disabled ones"), key="accounts_disabled", persist_state="page")
    pager = Pager("accounts", (role, locked))
    page = pager.page(
        lambda cursor: visitor.client.users.page(role=role, disabled=locked or None, limit=PAGE_SIZE, cursor=cursor)
    )
    if not page.items:
        empty(t("No account is like that."), icon=":material/person_off:")
    for user in page.items:
        with guarded():
            _account(visitor, user)
    pager.draw(page, t)


def _create(visitor: Visitor) -> None:
    t = visitor.t
    with st.form("accounts_new", border=False):
        name = st.text_input(
            t("Name"),
            max_chars=64,
            help=t("Small letters, digits, dots, dashes and underscores."),
            key="accounts_new_name",
            persist_state="page",
        )
        password = st.text_input(t("Password"), type="password", help=t(PASSWORD_HELP))
        role = st.radio(
            t("Role"), list(Role), index=1, format_func=lambda one: t(ROLES[one][0]),
            captions=[t(meaning) for _, meaning in ROLES.values()],
            key="accounts_new_role", persist_state="page",
        )  # fmt: skip
        if st.form_submit_button(t("Add it"), type="primary", icon=":material/person_add:"):
            made = visitor.client.users.create(name.strip(), password, role or Role.USER)
            st.success(t("{name} can sign in now.", name=plain(made.username)), icon=":material/check:")


def _account(visitor: Visitor, user: UserView) -> None:
    t = visitor.t
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/person: **{plain(user.username)}**")
            st.badge(t(ROLES[user.role][0]), color="violet" if user.role is Role.ADMIN else "gray")
            if user.disabled:
                st.badge(t("Disabled"), icon=":material/block:", color="red")
            seen = (
                t("never signed in") if user.last_login_at is None else t("here {time}", time=t.ago(user.last_login_at))
            )
            st.caption(seen)
        with st.expander(
            t("Change"), icon=":material/tune:", key=f"account_{user.username}", on_change="rerun"
        ) as more:
            if more.open:
                _change(visitor, user)


def _change(visitor: Visitor, user: UserView) -> None:
    t, name = visitor.t, user.username
    left, right = st.columns(2, gap="large")
    with left:
        _role_and_limits(visitor, user)
    with right, st.form(f"accounts_password_{name}", border=False, clear_on_submit=True), guarded():
        password = st.text_input(t("New password"), type="password", help=t(PASSWORD_HELP))
        keys_too = st.checkbox(t("End its API keys too"), value=True)
        st.caption(t("Every sign-in of the account ends."))
        if st.form_submit_button(t("Reset the password"), icon=":material/lock_reset:") and password:
            visitor.client.users.reset_password(name, password, revoke_api_keys=keys_too)
            st.success(t("The password is changed."), icon=":material/check:")
    if user.disabled:
        if st.button(t("Let it in again"), key=f"accounts_enable_{name}", icon=":material/lock_open:"):
            _update(visitor, name, UpdateUser(disabled=False))
    else:
        with st.popover(t("Disable"), icon=":material/block:"):
            st.markdown(t("**{name}** is signed out everywhere and cannot sign in. Nothing of theirs is deleted.",
                          name=plain(name)))  # fmt: skip
            if st.button(t("Disable it"), key=f"accounts_disable_{name}", type="primary"):
                _update(visitor, name, UpdateUser(disabled=True))


def _role_and_limits(visitor: Visitor, user: UserView) -> None:
    t, name, limits = visitor.t, user.username, user.limits
    hint = t("Empty: what holds for the whole installation.")
    with st.form(f"accounts_limits_{name}", border=False):
        roles = list(Role)
        role = st.selectbox(
            t("Role"), roles, index=roles.index(user.role), format_func=lambda one: t(ROLES[one][0]),
            key=f"accounts_role_{name}", persist_state="page",
        )  # fmt: skip
        running = st.number_input(
            t("Trainings at once"), 0, 1_000_000, limits.max_running, help=hint,
            key=f"accounts_running_{name}", persist_state="page",
        )  # fmt: skip
        queued = st.number_input(
            t("Waiting tasks"), 0, 1_000_000, limits.max_queued, help=hint,
            key=f"accounts_queued_{name}", persist_state="page",
        )  # fmt: skip
        stored = limits.max_stored_bytes
        room = st.number_input(
            t("Room for data (GB)"), 0.0, 1e9, None if stored is None else stored / GIGABYTE, help=hint,
            key=f"accounts_room_{name}", persist_state="page",
        )  # fmt: skip
        if st.form_submit_button(t("Save"), icon=":material/save:"):
            stored = None if room is None else round(room * GIGABYTE)
            changed = Limits(max_running=running, max_queued=queued, max_stored_bytes=stored)
            _update(visitor, name, UpdateUser(role=None if role == user.role else role, limits=changed))


def _update(visitor: Visitor, name: str, changes: UpdateUser) -> None:
    with guarded():
        visitor.client.users.update(name, changes)
        st.rerun()

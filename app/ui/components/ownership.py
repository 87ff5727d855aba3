"""Who else sees a run, whose it is, and its end: for those who may change it."""

import streamlit as st

from app.domain.principal import EVERYONE
from app.schemas.experiments import Deletion, ExperimentView
from app.ui.components.sharing import sharing
from app.ui.components.states import guarded, plain
from app.ui.context import Visitor


def draw(visitor: Visitor, view: ExperimentView) -> None:
    """Draw it."""
    t, shares = visitor.t, visitor.client.shares
    st.subheader(t("Who can see this"), anchor=False)
    with guarded():
        sharing(
            "experiment",
            shares.of_experiment(view.name),
            lambda grantee: shares.share_experiment(view.name, grantee),
            lambda grantee: shares.unshare_experiment(view.name, grantee),
            t,
        )
    if visitor.may("experiment:read-all"):
        st.subheader(t("Whose it is"), anchor=False)
        with guarded():
            _assign(visitor, view)
    st.subheader(t("Delete"), anchor=False)
    with guarded():
        _delete(visitor, view)


def _assign(visitor: Visitor, view: ExperimentView) -> None:
    t = visitor.t
    with st.form("experiment_owner_form", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        owner = st.text_input(
            t("Owner"),
            value=view.owner or "",
            max_chars=64,
            help=t("Empty: it belongs to nobody but administrators."),
            key=f"experiment_owner_{view.name}",
            persist_state="page",
        )
        if st.form_submit_button(t("Change the owner"), icon=":material/person:"):
            visitor.client.experiments.assign(view.name, owner.strip() or None)
            st.rerun()


def _delete(visitor: Visitor, view: ExperimentView) -> None:
    """First what would go; then, with the name typed once more, for good."""
    t = visitor.t
    asked = f"experiment_delete_{view.name}"
    if not st.session_state.get(asked):
        st.caption(t("You will see what goes before anything is deleted."))
        st.button(t("Delete this run…"), icon=":material/delete:", on_click=_ask, args=(asked,))
        return
    goes = visitor.client.experiments.deletion(view.name)
    with st.container(border=True):
        st.markdown(f":material/warning: **{t('This goes, and cannot be brought back:')}**")
        _list_what_goes(visitor, goes)
        with st.form("experiment_delete_form", border=False):
            typed = st.text_input(
                t("Type the name of the run to confirm"),
                placeholder=goes.confirm,
                key=f"{asked}_name",
                persist_state="page",
            )
            sure = st.form_submit_button(t("Delete for good"), type="primary", icon=":material/delete_forever:")
        st.button(t("Keep it"), key="experiment_keep", on_click=_ask, args=(asked, False))
        if sure and typed.strip() != goes.confirm:
            st.warning(t("That is not its name. Nothing was deleted."))
        elif sure:
            visitor.client.experiments.delete(view.name, confirm=goes.confirm)
            _ask(asked, wanted=False)
            st.toast(t("{name} is deleted.", name=plain(view.name)), icon=":material/delete:")
            st.query_params.clear()
            st.rerun()


def _list_what_goes(visitor: Visitor, goes: Deletion) -> None:
    t = visitor.t
    lines = [
        t("the run {name} with its scores, curves, reports and model", name=plain(goes.name)),
        t("{count} checkpoints", count=t.number(goes.num_checkpoints)),
        t("{size} on the disk", size=t.size(goes.size_bytes)),
    ]
    if goes.shared_with:
        names = [t("everyone") if one == EVERYONE else plain(one) for one in goes.shared_with]
        lines.append(t("the sharing with {names}", names=", ".join(names)))
    st.markdown("\n".join(f"- {line}" for line in lines))


def _ask(key: str, wanted: bool = True) -> None:
    """Ask whether it shall go, or stop asking; what was typed to confirm is not kept for another time."""
    st.session_state[key] = wanted
    st.session_state.pop(f"{key}_name", None)

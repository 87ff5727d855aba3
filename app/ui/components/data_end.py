"""The end of a data set or of one version: first what goes, then, with the name typed, for good."""

import streamlit as st

from app.schemas.datasets import DatasetView, VersionItem
from app.ui.components.states import plain
from app.ui.context import Visitor

_ASKED = "data_delete"


def draw_end(visitor: Visitor, found: DatasetView, version: VersionItem) -> None:
    """Draw both steps."""
    t = visitor.t
    asked = st.session_state.get(_ASKED)
    if asked not in (found.name, version.reference):
        st.caption(t("You will see what goes before anything is deleted."))
        with st.container(horizontal=True):
            if len(found.versions) > 1:
                st.button(
                    t("Delete version {number}…", number=version.version),
                    icon=":material/delete:",
                    on_click=_ask,
                    args=(version.reference,),
                )
            st.button(t("Delete the data set…"), icon=":material/delete_sweep:", on_click=_ask, args=(found.name,))
        return
    with st.container(border=True):
        st.markdown(f":material/warning: **{t('This goes, and cannot be brought back:')}**")
        _list_what_goes(visitor, found, version, whole=asked == found.name)
        with st.form("data_delete_form", border=False):
            typed = st.text_input(
                t("Type {name} to confirm", name=plain(asked)),
                placeholder=asked,
                key=_typed_key(asked),
                persist_state="page",
            )
            sure = st.form_submit_button(t("Delete for good"), type="primary", icon=":material/delete_forever:")
        st.button(t("Keep it"), key="data_keep", on_click=_ask, args=(None,))
        if sure and typed.strip() != asked:
            st.warning(t("That is not its name. Nothing was deleted."))
        elif sure:
            _delete(visitor, found, version, whole=asked == found.name)


def _list_what_goes(visitor: Visitor, found: DatasetView, version: VersionItem, *, whole: bool) -> None:
    t = visitor.t
    gone = found.versions if whole else [version]
    lines = [t("{name} with {rows} rows", name=plain(one.reference), rows=t.number(one.rows)) for one in gone[:10]]
    if len(gone) > 10:
        lines.append(t("and {count} more versions", count=t.number(len(gone) - 10)))
    if whole:
        shared = len(visitor.client.shares.of_data_set(found.name))
        if shared:
            lines.append(t("the sharing with {count} others", count=t.number(shared)))
    st.markdown("\n".join(f"- {line}" for line in lines))
    st.caption(t("Runs that were trained on it keep their data, and stay repeatable."))


def _delete(visitor: Visitor, found: DatasetView, version: VersionItem, *, whole: bool) -> None:
    t = visitor.t
    if whole:
        visitor.client.datasets.delete(found.name)
        st.query_params.clear()
    else:
        visitor.client.datasets.delete_version(found.name, version.version)
        st.query_params.from_dict({"dataset": found.name})
    gone = found.name if whole else version.reference
    _ask(None)
    st.toast(t("{name} is deleted.", name=plain(gone)), icon=":material/delete:")
    st.rerun()


def _ask(what: str | None) -> None:
    """Ask whether it shall go, or stop asking; what was typed to confirm is not kept for another time."""
    st.session_state.pop(_typed_key(st.session_state.get(_ASKED)), None)
    st.session_state[_ASKED] = what


def _typed_key(asked: str | None) -> str:
    return f"data_delete_{asked}_name"

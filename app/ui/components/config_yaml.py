"""The settings as YAML beside the form: what is typed here fills the form, and the other way round."""

import streamlit as st
import yaml

from app.schemas.train import ConfigCheck
from app.ui.components.config_draft import ConfigDraft, Fault, current, forget
from app.ui.components.states import plain
from app.ui.words import Words

_NAME = "yaml"
_PLACEHOLDER = "data:\n  train: reviews@1\nlora:\n  r: 8"


def yaml_editor(draft: ConfigDraft, check: ConfigCheck, elsewhere: list[tuple[str, str]], t: Words) -> None:
    """The text, and what is wrong with it: where it cannot be read, and problems (`elsewhere`) that no field shows."""
    key = draft.widget(_NAME, draft.text)
    st.text_area(
        t("The same as YAML"),
        draft.text,
        key=key,
        height=240,
        placeholder=_PLACEHOLDER,
        on_change=_typed,
        args=(key,),
        help=t("Only what was chosen; all else is as the platform has it. What you change here changes the form."),
    )
    if draft.fault:
        st.error(
            f"{t('This is not YAML; the form still has what was there before.')} {plain(_told(draft.fault, t))}",
            icon=":material/error:",
        )
    for pointer, detail in elsewhere:
        st.markdown(f":red[:material/error: {plain(pointer)} {plain(detail)}]")
    with st.container(horizontal=True):
        st.download_button(
            t("Download"), draft.text, "config.yaml", "application/yaml", icon=":material/download:", type="tertiary"
        )
        with st.popover(t("Start over"), icon=":material/restart_alt:", type="tertiary"):
            st.markdown(t("This takes back all that was chosen here."))
            st.button(t("Take it all back"), on_click=forget)
    if check.config is not None:
        with st.expander(t("Every setting, with what was not chosen")):
            st.code(yaml.safe_dump(check.config.as_dict(), sort_keys=False, allow_unicode=True), language="yaml")


def _told(fault: Fault, t: Words) -> str:
    """Where it is, and in the reader's language what; the reader of YAML has only its own words."""
    place = t("Line {line}, column {column}: ", line=fault.line, column=fault.column) if fault.line else ""
    if t.knows(fault.what):
        return place + t.told(fault.what)
    return place + t("the reader of YAML says “{what}”", what=fault.what)


def _typed(key: str) -> None:
    draft = current()
    draft.take_text(st.session_state[key])
    draft.was_typed(_NAME, draft.text)

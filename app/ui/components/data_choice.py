"""Which stored data set, and which version of it, a training reads."""

import streamlit as st

from app.client.client import Client
from app.schemas.datasets import DatasetView
from app.ui.components.config_draft import ConfigDraft, current
from app.ui.components.config_form import show_problem
from app.ui.components.config_words import FIELDS
from app.ui.components.links import link
from app.ui.components.states import empty, guarded, plain
from app.ui.context import Visitor

MAX_LISTED = 200
"""Names in the box; whoever has more types the name."""
TRAIN = ("data", "train")
_NAME, _VERSION = "train:dataset", "train:version"


def choose_data(visitor: Visitor, draft: ConfigDraft, problem: str) -> bool:
    """The boxes for data set and version; False where there is nothing to choose from."""
    t = visitor.t
    page = visitor.client.datasets.page(limit=MAX_LISTED)
    names = [item.name for item in page.items if item.latest is not None]
    if not names and not draft.get(TRAIN):
        empty(t("You have no data set yet."), t("Upload a table of texts and labels first."), ":material/database:")
        link("data", t("Upload data"), icon=":material/upload_file:")
        return False
    if draft.get(TRAIN) is None and len(names) == 1:
        _take(visitor.client, names[0])
    chosen, _, number = str(draft.get(TRAIN) or "").partition("@")
    label, about = FIELDS["data.train"]
    wide, narrow = st.columns([2, 1], gap="medium")
    with wide:
        _show(_NAME, chosen or None)
        st.selectbox(
            t(label),
            list(dict.fromkeys([*names, *([chosen] if chosen else [])])),
            help=f"{t(about)}  \n`data.train`",
            placeholder=t("Choose a data set"),
            accept_new_options=page.next is not None,
            key=_NAME,
            on_change=_name_changed,
            args=(visitor.client,),
        )
    if chosen:
        with guarded():
            _choose_version(visitor, visitor.client.datasets.show(chosen), number, narrow)
    show_problem(problem)
    return True


def _choose_version(
    visitor: Visitor, found: DatasetView, number: str, place: st.delta_generator.DeltaGenerator
) -> None:
    t = visitor.t
    newest_first = [str(version.version) for version in reversed(found.versions)]
    with place:
        _show(_VERSION, number or None)
        st.selectbox(
            t("Version"),
            list(dict.fromkeys([*newest_first, *([number] if number else [])])),
            help=t("The newest is first. A version never changes, so a run can be repeated on it."),
            key=_VERSION,
            on_change=_version_changed,
            args=(found.name,),
        )
    version = next((one for one in found.versions if str(one.version) == number), None)
    if version is not None:
        labels = ", ".join(f"{plain(name)} ({t.number(count)})" for name, count in list(version.labels.items())[:5])
        more = len(version.labels) - 5
        rest = f", {t('{number} more', number=more)}" if more > 0 else ""
        st.caption(f"{t('{rows} rows', rows=t.number(version.rows))} · {t('Labels: {names}', names=labels)}{rest}")


def _name_changed(client: Client) -> None:
    name = st.session_state[_NAME]
    if name:
        _take(client, name)


def _version_changed(name: str) -> None:
    current().put(TRAIN, f"{name}@{st.session_state[_VERSION]}")


def _take(client: Client, name: str) -> None:
    """Choose the newest version of a data set; a run without a name is called after it."""
    draft, newest = current(), None
    with guarded():
        newest = client.datasets.show(name).latest
    draft.put(TRAIN, newest.reference if newest else name)
    if draft.get(("experiment_name",)) is None:
        draft.put(("experiment_name",), name)


def _show(key: str, value: str | None) -> None:
    if st.session_state.get(key) != value:
        st.session_state[key] = value

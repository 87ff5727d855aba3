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
_NAME, _VERSION = "dataset", "version"


def stored_names(client: Client, draft: ConfigDraft) -> tuple[list[str], bool]:
    """The data sets there are, and whether there are more; the only one there is counts as chosen."""
    page = client.datasets.page(limit=MAX_LISTED)
    names = [item.name for item in page.items if item.latest is not None]
    if len(names) == 1 and draft.get(TRAIN) is None and not draft.text.strip():
        _take(client, names[0])
    return names, page.next is not None


def choose_data(visitor: Visitor, draft: ConfigDraft, names: list[str], problem: str, *, has_more: bool) -> bool:
    """The boxes for data set and version; False where there is nothing to choose from."""
    t = visitor.t
    if not names and not draft.get(TRAIN):
        empty(t("You have no data set yet."), t("Upload a table of texts and labels first."), ":material/database:")
        link("data", t("Upload data"), icon=":material/upload_file:")
        return False
    chosen, _, number = str(draft.get(TRAIN) or "").partition("@")
    label, about = FIELDS["data.train"]
    wide, narrow = st.columns([2, 1], gap="medium")
    options = list(dict.fromkeys([*names, *([chosen] if chosen else [])]))
    key = draft.widget(_NAME, chosen)
    with wide:
        st.selectbox(
            t(label),
            options,
            options.index(chosen) if chosen else None,
            help=f"{t(about)}  \n`data.train`",
            placeholder=t("Choose a data set"),
            accept_new_options=has_more,
            key=key,
            on_change=_name_changed,
            args=(visitor.client, key),
        )
    if chosen:
        with guarded():
            _choose_version(visitor, draft, visitor.client.datasets.show(chosen), number, narrow)
    show_problem(problem)
    return True


def _choose_version(
    visitor: Visitor, draft: ConfigDraft, found: DatasetView, number: str, place: st.delta_generator.DeltaGenerator
) -> None:
    t = visitor.t
    newest_first = [str(version.version) for version in reversed(found.versions)]
    options = list(dict.fromkeys([*newest_first, *([number] if number else [])]))
    key = draft.widget(_VERSION, (found.name, number))
    with place:
        st.selectbox(
            t("Version"),
            options,
            options.index(number) if number else None,
            help=t("The newest is first. A version never changes, so a run can be repeated on it."),
            key=key,
            on_change=_version_changed,
            args=(found.name, key),
        )
    version = next((one for one in found.versions if str(one.version) == number), None)
    if version is not None:
        labels = ", ".join(f"{plain(name)} ({t.number(count)})" for name, count in list(version.labels.items())[:5])
        more = len(version.labels) - 5
        rest = f", {t('{number} more', number=more)}" if more > 0 else ""
        st.caption(f"{t('{rows} rows', rows=t.number(version.rows))} · {t('Labels: {names}', names=labels)}{rest}")


def _name_changed(client: Client, key: str) -> None:
    name = st.session_state[key]
    if name:
        _take(client, name)
        current().was_typed(_NAME, name)


def _version_changed(name: str, key: str) -> None:
    number = st.session_state[key]
    current().put(TRAIN, f"{name}@{number}")
    current().was_typed(_VERSION, (name, number))


def take(reference: str) -> None:
    """Choose a data set, or a version of it; a run without a name is called after it."""
    draft = current()
    draft.put(TRAIN, reference)
    if draft.get(("experiment_name",)) is None:
        draft.put(("experiment_name",), reference.partition("@")[0])


def _take(client: Client, name: str) -> None:
    """Choose the newest version of a data set."""
    newest = None
    with guarded():
        newest = client.datasets.show(name).latest
    take(newest.reference if newest else name)

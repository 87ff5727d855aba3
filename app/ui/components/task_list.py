"""A person's tasks, newest first, a page at a time."""

import streamlit as st

from app.domain.task import TaskKind, TaskState
from app.schemas.paging import MAX_COUNTED, Page
from app.schemas.tasks import TaskItem
from app.ui.components.links import here, link
from app.ui.components.states import empty, guarded, plain
from app.ui.components.task_words import KINDS, STATES, failure_in_words, progress_text, show_state
from app.ui.context import Visitor

SECONDS_BETWEEN_LOOKS = 3.0
PAGE_SIZE = 15
_CURSORS, _FILTER = "tasks:cursors", "tasks:filter"


def draw_list(visitor: Visitor) -> None:
    """Filters, the tasks, and the way to older ones; looks again by itself while one of them lives."""
    t = visitor.t
    st.title(t("Tasks"), anchor=False)
    st.caption(t("All that the platform does for you: trainings, estimates, data checks and predictions."))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        states = st.pills(
            t("State"),
            list(TaskState),
            selection_mode="multi",
            format_func=lambda one: t(STATES[one][0]),
            key="tasks:state",
            persist_state="session",
        )
        kind = st.selectbox(
            t("Kind"),
            list(TaskKind),
            index=None,
            placeholder=t("all kinds"),
            format_func=lambda one: t(KINDS[one]),
            width=200,
            key="tasks:kind",
            persist_state="session",
        )
        everyone = visitor.may("experiment:read-all") and st.toggle(
            t("Everybody's tasks"), key="tasks:everyone", persist_state="session"
        )
        st.button(t("Look again"), icon=":material/refresh:")
    wanted = (tuple(states), kind, everyone)
    if st.session_state.get(_FILTER) != wanted:
        st.session_state[_FILTER], st.session_state[_CURSORS] = wanted, [None]
    with st.spinner(t("Loading…")):
        page = _page(visitor)
    if not page.items and not any(wanted):
        empty(t("Nothing has run yet."), t("Start a training, and watch it here."), ":material/hourglass_empty:")
        if visitor.may("train"):
            link("train", t("Train a model"), icon=":material/model_training:")
        return
    is_live = any(not item.status.is_final for item in page.items)
    st.fragment(_rows, run_every=SECONDS_BETWEEN_LOOKS if is_live else None)(visitor, is_live=is_live)


def _page(visitor: Visitor) -> Page[TaskItem]:
    states, kind, everyone = st.session_state[_FILTER]
    cursors = st.session_state[_CURSORS]
    while True:
        page = visitor.client.tasks.page(
            states=states, kind=kind, everyone=everyone, limit=PAGE_SIZE, cursor=cursors[-1]
        )
        if page.items or len(cursors) == 1:
            return page
        cursors.pop()  # the last of that page is gone


def _rows(visitor: Visitor, *, is_live: bool) -> None:
    t = visitor.t
    with guarded():
        page = _page(visitor)
        if not page.items:
            empty(t("No task is like that."), t("Choose fewer states, or another kind."), ":material/filter_alt_off:")
        for item in page.items:
            _row(item, visitor)
        _pager(page, visitor)
        if is_live and all(item.status.is_final for item in page.items):
            st.rerun()


def _row(item: TaskItem, visitor: Visitor) -> None:
    t = visitor.t
    with st.container(border=True):
        name, state, standing = st.columns([4, 2, 4], vertical_alignment="center")
        with name:
            here(item.experiment or t(KINDS[item.kind]), f"tasks:{item.task_id}", task=item.task_id)
            owner = [plain(item.owner)] if item.owner and item.owner != visitor.me.username else []
            st.caption(" · ".join([t(KINDS[item.kind]), t.ago(item.created_at), *owner]))
        with state:
            show_state(item.status, t)
        with standing:
            _standing(item, visitor)


def _standing(item: TaskItem, visitor: Visitor) -> None:
    t = visitor.t
    if item.error is not None:
        text = failure_in_words(item.error.code, (item.error.detail or "")[:200], t)
        st.caption(text)
    elif item.status.is_final and item.started_at and item.finished_at:
        st.caption(t("took {time}", time=t.duration((item.finished_at - item.started_at).total_seconds())))
    elif item.status is TaskState.STARTED:
        st.progress(item.progress, text=progress_text(item, t))


def _pager(page: Page[TaskItem], visitor: Visitor) -> None:
    t, cursors = visitor.t, st.session_state[_CURSORS]
    if len(cursors) == 1 and page.next is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        number = len(cursors)
        newer = st.button(
            t("Newer"), icon=":material/chevron_left:", disabled=number == 1, on_click=_turn, args=(number, None)
        )
        older = st.button(
            t("Older"),
            icon=":material/chevron_right:",
            disabled=page.next is None,
            on_click=_turn,
            args=(number, page.next),
        )
        if newer or older:
            st.rerun()
        total = (
            t.number(page.total) if page.total is not None else t("more than {number}", number=t.number(MAX_COUNTED))
        )
        first = PAGE_SIZE * (len(cursors) - 1) + 1
        st.caption(t("{first} to {last} of {total}", first=first, last=first + len(page.items) - 1, total=total))


def _turn(number: int, cursor: str | None) -> None:
    """From page `number` on to what `cursor` begins, or back; a second click finds the reader elsewhere already."""
    cursors = st.session_state[_CURSORS]
    if len(cursors) != number:
        return
    if cursor is not None:
        cursors.append(cursor)
    elif number > 1:
        cursors.pop()

"""Home: what runs, what has ended, what needs somebody; for newcomers the way to a first model."""

from functools import partial

import streamlit as st

from app.domain.task import TaskState
from app.schemas.experiments import ExperimentItem
from app.schemas.tasks import TaskItem
from app.ui.components.first_steps import first_steps
from app.ui.components.links import link
from app.ui.components.states import empty, guarded
from app.ui.components.task_words import KINDS, STAGES, failure_in_words, show_state
from app.ui.context import Visitor

SECONDS_BETWEEN_LOOKS = 3.0
NUM_SHOWN = 5
_LIVE = (TaskState.PENDING, TaskState.STARTED, TaskState.RETRY)
_NEEDS_SOMEBODY = (TaskState.FAILURE, TaskState.REVOKED)


def draw(visitor: Visitor) -> None:
    """Draw the page."""
    t, client = visitor.t, visitor.client
    st.title(t("Home"), anchor=False)
    with st.spinner(t("Loading…")):
        live = client.tasks.page(states=_LIVE, limit=NUM_SHOWN)
        ended = client.experiments.own_page(where="state=SUCCESS", sort="-created_at", limit=NUM_SHOWN)
        troubled = client.tasks.page(states=_NEEDS_SOMEBODY, limit=NUM_SHOWN)
    if not ended.items:
        first_steps(visitor)
    if not (live.items or ended.items or troubled.items):
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader(t("Running"), anchor=False)
        every = SECONDS_BETWEEN_LOOKS if live.items else None
        st.fragment(partial(_running, visitor), run_every=every)()
        st.subheader(t("Needs attention"), anchor=False)
        if not troubled.items:
            st.caption(t("Nothing. All is well."))
        for item in troubled.items:
            _trouble(visitor, item)
    with right:
        st.subheader(t("Finished"), anchor=False)
        if not ended.items:
            st.caption(t("Your models will be here."))
        for run in ended.items:
            _finished(visitor, run)


def _running(visitor: Visitor) -> None:
    """Looks again by itself; once something has ended, the whole page is drawn anew."""
    t = visitor.t
    with guarded():
        live = visitor.client.tasks.page(states=_LIVE, limit=NUM_SHOWN).items
        known = st.session_state.get("home_live")
        st.session_state["home_live"] = [item.task_id for item in live]
        if known and not set(known) <= {item.task_id for item in live}:
            st.rerun(scope="app")
        if not live:
            empty(t("Nothing runs right now."), icon=":material/bedtime:")
        for item in live:
            with st.container(border=True):
                link("tasks", item.experiment or t(KINDS[item.kind]), task=item.task_id)
                if item.status is TaskState.STARTED:
                    st.progress(item.progress, text=f"{t(STAGES[item.stage])} · {t.percent(item.progress, 0)}")
                else:
                    show_state(item.status, t)


def _trouble(visitor: Visitor, item: TaskItem) -> None:
    t = visitor.t
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            link("tasks", item.experiment or t(KINDS[item.kind]), task=item.task_id)
            show_state(item.status, t)
        error = item.error
        if error is not None:
            st.caption(failure_in_words(error.code, (error.detail or "")[:200], t))


def _finished(visitor: Visitor, run: ExperimentItem) -> None:
    t = visitor.t
    with st.container(border=True):
        name, score = st.columns([3, 2], vertical_alignment="center")
        with name:
            link("experiments", run.name, icon=":material/science:", run=run.name)
            st.caption(t.ago(run.created_at))
        if run.accuracy is not None:
            score.markdown(t("**{share}** right on held-out rows", share=t.percent(run.accuracy)))

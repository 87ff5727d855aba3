"""Monitor: whether the platform works, who works for it, what waits, and how fast what runs is."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from app.domain.errors import ServiceUnavailable
from app.domain.task import TaskState
from app.schemas.monitor import MonitorView, RunningView, TaskCount, WorkerView
from app.ui.components.links import link
from app.ui.components.states import empty, guarded, plain
from app.ui.components.task_words import KINDS, STAGES
from app.ui.context import Visitor
from app.ui.words import N_, Words

SECONDS_BETWEEN_LOOKS = 3.0
PARTS = {"database": N_("Database"), "migrations": N_("Database schema"), "queue": N_("Queue")}


def draw(visitor: Visitor) -> None:
    """Draw the page; it looks again by itself."""
    t = visitor.t
    st.title(t("Monitor"), anchor=False)
    st.caption(t("Who works here, what waits, and how fast it goes. This page looks again every few seconds."))
    st.fragment(_look, run_every=SECONDS_BETWEEN_LOOKS)(visitor)


def _look(visitor: Visitor) -> None:
    t = visitor.t
    with guarded():
        _readiness(visitor)
    with guarded():
        found = visitor.client.system.monitor()
        _numbers(found, t)
        st.subheader(t("What runs"), anchor=False)
        for one in found.running:
            _running(one, visitor)
        if found.num_running > len(found.running):
            shown, total = t.number(len(found.running)), t.number(found.num_running)
            st.caption(t("The newest {shown} of {total}", shown=shown, total=total))
        if not found.running:
            empty(t("Nothing runs at the moment."), icon=":material/bedtime:")
        st.subheader(t("What waits"), anchor=False)
        _queue(found, t)
        st.subheader(t("Workers"), anchor=False)
        _workers(found.workers, t)


def _readiness(visitor: Visitor) -> None:
    """Every part with its state; a part that does not work keeps none of the others from being shown."""
    t = visitor.t
    try:
        visitor.client.system.ready()
        faults: dict[str, str] = {}
    except ServiceUnavailable as error:
        faults = {pointer.strip("/"): detail for pointer, detail in error.places}
        if not faults:
            raise
    with st.container(horizontal=True):
        for part, title in PARTS.items():
            if part in faults:
                st.badge(t(title), icon=":material/error:", color="red")
            else:
                st.badge(t(title), icon=":material/check_circle:", color="green")
    for detail in faults.values():
        st.error(plain(t.told(detail)), icon=":material/error:")


def _numbers(found: MonitorView, t: Words) -> None:
    waiting = sum(one.tasks for one in found.queue if one.state is not TaskState.STARTED)
    tiles = {
        t("Workers"): t.number(len(found.workers)),
        t("Machines at work"): t.number(found.num_machines),
        t("Running"): t.number(found.num_running),
        t("Waiting"): t.number(waiting),
        t("Tokens a second"): t.number(found.tokens_per_second),
    }
    with st.container(horizontal=True):
        for title, value in tiles.items():
            st.metric(title, value, border=True, width=164)


def _running(one: RunningView, visitor: Visitor) -> None:
    t = visitor.t
    with st.container(border=True):
        left, right = st.columns([2, 3], vertical_alignment="center")
        with left:
            if one.experiment:
                link("experiments", one.experiment, icon=":material/science:", run=one.experiment)
            else:
                st.markdown(t(KINDS[one.kind]))
            where = [one.owner, one.hostname, one.device]
            st.caption(" · ".join(plain(part) for part in where if part))
        with right:
            left_over = [] if one.eta_seconds is None else [t("about {time} left", time=t.duration(one.eta_seconds))]
            st.progress(one.progress, text=" · ".join([t(STAGES[one.stage]), t.percent(one.progress, 0), *left_over]))
            st.caption(" · ".join(_load(one, t)))


def _load(one: RunningView, t: Words) -> list[str]:
    found = []
    if one.tokens_per_second is not None:
        found.append(t("{count} tokens a second", count=t.number(one.tokens_per_second)))
    if one.cpu_percent is not None:
        found.append(t("{count} CPU cores busy", count=t.number(one.cpu_percent / 100, 1)))
    if one.memory_bytes is not None:
        found.append(t("{size} of memory", size=t.size(one.memory_bytes)))
    if one.gpu_percent is not None:
        found.append(t("GPU {share}", share=t.percent(one.gpu_percent / 100, 0)))
    if one.gpu_memory_bytes is not None:
        found.append(t("{size} of GPU memory", size=t.size(one.gpu_memory_bytes)))
    return found


def _queue(found: MonitorView, t: Words) -> None:
    waiting: Sequence[TaskCount] = [one for one in found.queue if one.state is not TaskState.STARTED]
    if not waiting:
        st.caption(t("Nothing waits."))
        return
    if found.oldest_waiting_at is not None:
        seconds = (datetime.now(UTC) - found.oldest_waiting_at).total_seconds()
        st.caption(t("The oldest has waited for {time}.", time=t.duration(seconds)))
    states = {TaskState.PENDING: t("Waiting"), TaskState.RETRY: t("Waiting to go on")}
    rows = [{t("Kind"): t(KINDS[one.kind]), t("State"): states[one.state], t("Tasks"): one.tasks} for one in waiting]
    st.dataframe(rows, hide_index=True)


def _workers(workers: Sequence[WorkerView], t: Words) -> None:
    if not workers:
        st.warning(t("No worker is there: what waits goes on when one is started."), icon=":material/engineering:")
        return
    rows = [
        {
            t("Worker"): one.id[:8],
            t("Does"): ", ".join(t(KINDS[kind]) for kind in one.kinds),
            t("On"): ", ".join(one.devices),
            t("Last heard"): t.ago(one.heard_at),
        }
        for one in workers
    ]
    st.dataframe(rows, hide_index=True)

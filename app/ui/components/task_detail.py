"""One task: where it stands, what it reports while it lives, what came of it; stop it, let it go on."""

import streamlit as st

from app.domain.errors import Conflict, PlatformError, TooManyRequests
from app.domain.task import TaskKind, TaskState
from app.schemas.tasks import RunResult, TaskView
from app.ui.components.curves import Plot, show_numbers, show_plot
from app.ui.components.file_labels import labelled_file
from app.ui.components.links import here, link
from app.ui.components.plan_view import show_plan
from app.ui.components.run_plots import learning_plots, machine_plots
from app.ui.components.states import guarded, plain
from app.ui.components.stepper import stepper
from app.ui.components.task_words import KINDS, progress_text, show_failure, show_state
from app.ui.components.watched import Watched
from app.ui.context import Visitor

SECONDS_BETWEEN_LOOKS = 2.0
_KEY = "watched"


def draw_task(visitor: Visitor, task_id: str) -> None:
    """One task's page; asks for news only while there can be any."""
    t = visitor.t
    here(t("All tasks"), "tasks:all", ":material/arrow_back:")
    task = visitor.client.tasks.show(task_id)
    title, actions = st.columns([5, 2], vertical_alignment="bottom")
    title.title(plain(task.experiment or t(KINDS[task.kind])), anchor=False)
    if visitor.may("task:control"):
        with actions, st.container(horizontal=True, horizontal_alignment="right"), guarded():
            _actions(visitor, task)
    every = None if task.status.is_final else SECONDS_BETWEEN_LOOKS
    st.fragment(_watch, run_every=every)(visitor, task_id, is_live=every is not None)


def _watch(visitor: Visitor, task_id: str, *, is_live: bool) -> None:
    """Show the newest that is known; an API that does not answer for a while changes nothing of it."""
    t, watched = visitor.t, _watched(task_id)
    with guarded():
        try:
            task = watched.look(visitor.client)
        except PlatformError as error:
            if watched.task is None or not (error.retryable or isinstance(error, TooManyRequests)):
                raise
            task = watched.task
            st.warning(
                t("The platform does not answer. This page goes on as soon as it does."), icon=":material/cloud_off:"
            )
            if not is_live:
                st.button(t("Try again"), icon=":material/refresh:")
        _draw(visitor, task, watched)
        if is_live and task.status.is_final:
            st.rerun()


def _draw(visitor: Visitor, task: TaskView, watched: Watched) -> None:
    t = visitor.t
    _standing(task, visitor)
    if task.error is not None:
        show_failure(task.error.code, task.error.detail, t, stopped=task.status is TaskState.REVOKED)
    if task.result is not None:
        _result(visitor, task)
    if task.kind is TaskKind.TRAIN:
        _newest(watched, task, visitor)
        _reports(watched, task, visitor)
    else:
        with st.expander(t("Log")):
            _log(watched, visitor)


def _reports(watched: Watched, task: TaskView, visitor: Visitor) -> None:
    t = visitor.t
    learning, machine, log = st.tabs([t("Learning"), t("Machine"), t("Log")])
    with learning:
        _plots(learning_plots(watched, t), visitor, "learning", task)
    with machine:
        _plots(machine_plots(watched, t), visitor, "machine", task)
    with log:
        _log(watched, visitor)


def _standing(task: TaskView, visitor: Visitor) -> None:
    """State, times, the steps and how far it is."""
    t = visitor.t
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            show_state(task.status, t)
            st.caption(_times(task, visitor))
        if task.kind is TaskKind.TRAIN:
            stepper(task, t)
        if not task.status.is_final:
            st.progress(task.progress, text=progress_text(task, t))
        if task.status is TaskState.PENDING:
            st.caption(t("It begins as soon as a worker is free. You may close this page; it goes on by itself."))


def _times(task: TaskView, visitor: Visitor) -> str:
    t = visitor.t
    parts = [t("submitted {when}", when=t.moment(task.created_at))]
    if task.started_at and task.finished_at:
        parts.append(t("took {time}", time=t.duration((task.finished_at - task.started_at).total_seconds())))
    if task.attempt > 1:
        parts.append(t("attempt {number}", number=task.attempt))
    return " · ".join(parts)


def _newest(watched: Watched, task: TaskView, visitor: Visitor) -> None:
    """The numbers one looks for first."""
    t, values = visitor.t, task.metrics
    system = watched.of_kind("system")
    machine = system[-1].values if system else {}
    shown: list[tuple[str, str]] = []
    if "step" in values and "total_steps" in values:
        shown.append((t("Step"), f"{t.number(values['step'])} / {t.number(values['total_steps'])}"))
    if "loss" in values:
        shown.append((t("Loss"), t.number(values["loss"], 3)))
    if "eval_accuracy" in values:
        shown.append((t("Accuracy on held-out rows"), t.percent(values["eval_accuracy"])))
    if not task.status.is_final:
        if "tokens_per_second" in values:
            shown.append((t("Tokens a second"), t.number(values["tokens_per_second"])))
        if "cpu_percent" in machine:
            shown.append((t("CPU"), t.percent(machine["cpu_percent"] / 100, 0)))
        if "memory_bytes" in machine:
            shown.append((t("Memory"), t.size(machine["memory_bytes"])))
        if machine.get("gpu_percent") is not None:
            shown.append((t("GPU"), t.percent(machine["gpu_percent"] / 100, 0)))
    if shown:
        with st.container(horizontal=True, gap="medium"):
            for label, value in shown:
                st.metric(label, value, width="content")


def _plots(plots: list[Plot], visitor: Visitor, name: str, task: TaskView) -> None:
    t = visitor.t
    full = [plot for plot in plots if any(curve.points for curve in plot.curves)]
    if not full:
        st.caption(t("Nothing has been measured yet."))
        return
    columns = st.columns(2, gap="large")
    for place, plot in enumerate(full):
        with columns[place % 2]:
            show_plot(plot, t, f"{name}:{place}")
    show_numbers(full, t, name, f"{task.experiment or task.task_id}-{name}.csv")


def _log(watched: Watched, visitor: Visitor) -> None:
    """The end of the log, as plain text, the newest line last."""
    if watched.log.strip():
        st.code(watched.log, language=None, height=420, wrap_lines=True)
    else:
        st.caption(visitor.t("Nothing has been written yet."))


def _result(visitor: Visitor, task: TaskView) -> None:
    t, result = visitor.t, task.result
    if isinstance(result, RunResult):
        st.success(
            t("The model is trained, saved and proven to answer as it did in the evaluation."),
            icon=":material/verified:",
        )
        link("experiments", t("See how good it is"), icon=":material/query_stats:", run=result.run)
        link("try", t("Try it"), icon=":material/chat:", run=result.run)
    elif result is not None and task.kind is TaskKind.PLAN:
        show_plan(result, t)
    elif result is not None and task.kind is TaskKind.PREDICT:
        labelled_file(visitor, task)
    elif result is not None:
        if isinstance(result.get("reference"), str):
            link("data", result["reference"], icon=":material/database:", dataset=result["reference"].split("@")[0])
        with st.expander(t("What came of it")):
            st.json(result)


def _actions(visitor: Visitor, task: TaskView) -> None:
    """Stop what lives, in two steps; let go on what was stopped or failed."""
    t, tasks = visitor.t, visitor.client.tasks
    if not task.status.is_final:
        with st.popover(t("Stop"), icon=":material/stop_circle:"):
            is_saved = task.kind is TaskKind.TRAIN
            st.markdown(
                t("A training that runs saves where it is first, and can go on from there later.")
                if is_saved
                else t("What it has done so far is thrown away.")
            )
            if st.button(t("Stop it now"), type="primary"):
                tasks.cancel(task.task_id)
                st.rerun()
    elif task.status in (TaskState.FAILURE, TaskState.REVOKED):
        label = t("Go on from the last checkpoint") if task.kind is TaskKind.TRAIN else t("Try again")
        if st.button(label, icon=":material/resume:", type="primary"):
            try:
                tasks.retry(task.task_id)
            except Conflict:
                if tasks.show(task.task_id).status.is_final:
                    raise  # else somebody, or a second click, was faster
            st.rerun()


def _watched(task_id: str) -> Watched:
    """What this page knows of a task; of the one before nothing is kept."""
    known = st.session_state.get(_KEY)
    if not isinstance(known, Watched) or known.task_id != task_id:
        known = st.session_state[_KEY] = Watched(task_id)
    return known

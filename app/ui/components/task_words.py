"""What states, stages and failures of tasks are called, and the mark of each."""

import streamlit as st

from app.domain.task import Stage, TaskKind, TaskState
from app.schemas.tasks import TaskItem, TaskView
from app.ui.components.problem_words import PROBLEMS
from app.ui.components.states import plain
from app.ui.words import N_, Words

STATES = {
    TaskState.PENDING: (N_("Waiting"), "gray", ":material/schedule:"),
    TaskState.STARTED: (N_("Running"), "blue", ":material/play_arrow:"),
    TaskState.RETRY: (N_("Waiting to go on"), "orange", ":material/replay:"),
    TaskState.SUCCESS: (N_("Done"), "green", ":material/check:"),
    TaskState.FAILURE: (N_("Failed"), "red", ":material/error:"),
    TaskState.REVOKED: (N_("Stopped"), "orange", ":material/stop_circle:"),
}
STAGES = {
    Stage.QUEUED: N_("Queued"),
    Stage.VALIDATING: N_("Checking data"),
    Stage.PREPARING: N_("Preparing"),
    Stage.TRAINING: N_("Training"),
    Stage.EVALUATING: N_("Evaluating"),
    Stage.PROVING: N_("Proving"),
    Stage.DONE: N_("Done"),
}
KINDS = {
    TaskKind.TRAIN: N_("Training"),
    TaskKind.PLAN: N_("Estimate"),
    TaskKind.PREDICT: N_("Predictions"),
    TaskKind.DATASET: N_("Data check"),
}
FAILURES = {
    "run.loss_not_finite": N_("The training got out of hand: the loss is no number any more."),
    "run.out_of_memory": N_("The machine ran out of memory."),
    "run.failed": N_("The training could not be finished."),
    "run.lost": N_("The worker that trained is gone."),
    "run.killed": N_("The training was ended from outside."),
    "run.stopped": N_("It was stopped before it was finished."),
    "run.refused": N_("The worker could not begin."),
    "data.blocked": N_("What is in the data forbids training on it."),
    "data.damaged": N_("The stored data is not what it was when it was stored."),
    "model.unusable": N_("The base model cannot be used."),
    "proof.failed": N_("The saved model does not answer as the trained one did, so it is not handed out."),
    "storage.full": N_("The disk is full."),
}
"""By code, in plain words; of any other code the platform's own words are shown alone."""
ADVICE = {
    "run.loss_not_finite": N_("Lower the learning rate, or train in fp32."),
    "run.out_of_memory": N_("Take a smaller batch or shorter texts."),
    "run.failed": N_("The log says what went wrong."),
    "run.lost": N_("Go on from the last checkpoint, or train again."),
    "data.blocked": N_("Look at what was found in the data, and mend it there."),
    "model.unusable": N_("Choose another base model; minilm needs no download."),
    "storage.full": N_("Ask an administrator to free some space."),
}
"""By code, what to do, for languages that have no words for what the platform advises in this very case."""


def show_state(state: TaskState, t: Words) -> None:
    """The state as a small mark: its word, its colour and its sign say the same."""
    word, colour, icon = STATES[state]
    st.badge(t(word), icon=icon, color=colour)  # type: ignore[arg-type]


def progress_text(task: TaskView | TaskItem, t: Words) -> str:
    """What a task is doing, how far it is and how long it will take."""
    is_running = task.status is TaskState.STARTED
    stage = t("Starting") if is_running and task.stage is Stage.QUEUED else t(STAGES[task.stage])
    parts = [stage, t.percent(task.progress, 0)]
    if task.eta_seconds is not None and is_running and task.stage is not Stage.QUEUED:
        parts.append(t("about {time} left", time=t.duration(task.eta_seconds)))
    return " · ".join(parts)


def failure_in_words(code: str, reason: str | None, t: Words) -> str:
    """Why a task ended as it did, in a sentence; what the platform says where its code says little."""
    if code in FAILURES:
        return t(FAILURES[code])
    if code in PROBLEMS and not t.knows(reason or ""):
        return t(PROBLEMS[code])
    return plain(t.told(reason or code))


def show_failure(code: str, detail: str | None, t: Words, *, stopped: bool = False) -> None:
    """Why a task ended as it did: in plain words, then what the platform says, then what to do."""
    told, _, log = (detail or "").partition("\nits log ends:\n")
    reason, _, hint = told.partition(" (hint: ")
    (st.warning if stopped else st.error)(failure_in_words(code, reason, t), icon=STATES[TaskState.FAILURE][2])
    advised = hint.removesuffix(")")
    is_known = t.knows(advised) or code not in ADVICE
    if advised:
        st.markdown(f":material/lightbulb: {plain(t.told(advised) if is_known else t(ADVICE[code]))}")
    if reason and not stopped:
        with st.expander(t("What exactly happened")):
            in_full = reason if is_known else f"{reason} ({advised})"
            st.code(f"{code}: {in_full}\n{log}".strip(), language=None, wrap_lines=True)

"""What the platform says of files that were sent: at once, or through a task that is watched until its end."""

from typing import TypeVar

import streamlit as st

from app.client.faults import error_of_task
from app.domain.task import TaskState
from app.schemas.datasets import AddForm, DatasetCreated, DatasetFinding, ValidatedFile, ValidateForm
from app.schemas.tasks import Accepted, TaskView
from app.ui.components.drafts import Draft, watched
from app.ui.components.findings import show_findings
from app.ui.components.links import link
from app.ui.components.states import guarded
from app.ui.components.task_words import show_failure
from app.ui.context import Visitor

SECONDS_BETWEEN_LOOKS = 2.0
Answer = TypeVar("Answer", DatasetCreated, ValidatedFile)


def ask(visitor: Visitor, draft: Draft, form: ValidateForm | AddForm, kind: type[Answer]) -> Answer | None:
    """The answer about the files of a draft; None while a worker is at it, or where its task has failed.

    Each form is sent once; what a worker found stays with the draft.
    """
    asked = draft.asked(form)
    if asked not in draft.answers and asked not in draft.tasks:
        said = _send(visitor, draft, form, asked)
        if isinstance(said, Accepted):
            draft.tasks[asked] = said.task_id
        else:
            draft.answers[asked] = said
    if asked not in draft.answers:
        task = visitor.client.tasks.show(draft.tasks[asked])
        if task.status is not TaskState.SUCCESS:
            _show_task(visitor, draft, asked, task)
            return None
        draft.answers[asked] = kind.model_validate(task.result)
    found = draft.answers[asked]
    assert isinstance(found, kind)
    return found


def _send(
    visitor: Visitor, draft: Draft, form: ValidateForm | AddForm, asked: str
) -> ValidatedFile | DatasetCreated | Accepted:
    t, data_sets, key = visitor.t, visitor.client.datasets, draft.key(asked)
    place = st.empty()
    try:
        with place.container(), st.spinner(t("Reading and checking your rows…")):
            progress = watched(lambda done: t("{size} sent", size=t.size(done)))
            if isinstance(form, AddForm):
                return data_sets.add(form, draft.files(), progress=progress, key=key)
            return data_sets.validate(form, draft.files(), progress=progress, key=key)
    finally:
        place.empty()


def _show_task(visitor: Visitor, draft: Draft, asked: str, task: TaskView) -> None:
    t = visitor.t
    if draft.can_try() and asked.startswith(ValidateForm.__name__):
        st.button(t("Read it differently"), icon=":material/tune:", on_click=draft.try_out)
    if not task.status.is_final:
        st.fragment(_look, run_every=SECONDS_BETWEEN_LOOKS)(visitor, task.task_id)
        return
    if task.error is not None:
        show_failure(task.error.code, error_of_task(task.error).message, t)
    if isinstance(task.result, dict) and "findings" in task.result:
        show_findings([DatasetFinding.model_validate(one) for one in task.result["findings"]], t)
    if st.button(t("Check again"), icon=":material/refresh:"):
        draft.tasks.pop(asked)
        draft.keys.pop(asked, None)
        st.rerun()


def _look(visitor: Visitor, task_id: str) -> None:
    """How far the worker is; the whole page is drawn anew once it is done."""
    t = visitor.t
    with guarded():
        task = visitor.client.tasks.show(task_id)
        if task.status.is_final:
            st.rerun(scope="app")
        st.progress(task.progress, text=t("A worker reads your file, since it is large. You may leave this page."))
        link("tasks", t("Watch it among your tasks"), icon=":material/checklist:", task=task_id)

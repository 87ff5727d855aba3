"""What a training would take, measured by a worker before it starts."""

import streamlit as st

from app.domain.errors import PlatformError
from app.domain.task import TaskState
from app.ui.components.config_draft import ConfigDraft, Plan
from app.ui.components.plan_view import show_plan
from app.ui.components.states import guarded
from app.ui.components.task_words import STATES, show_failure
from app.ui.context import Visitor

SECONDS_BETWEEN_LOOKS = 1.5
WISH = "plan"


def plan_part(visitor: Visitor, draft: ConfigDraft, *, disabled: bool) -> None:
    """The button that asks for an estimate, and the newest one: in the making, or what it says."""
    t, plan = visitor.t, draft.plan
    is_current = plan is not None and plan.values == draft.values
    if not is_current:
        about = t(
            "A worker makes a few steps with your data and settings, keeps nothing, and says what all would take."
        )
        label = t("Estimate time and memory") if plan is None else t("Estimate again with these settings")
        if st.button(label, icon=":material/speed:", disabled=disabled, help=about, width="stretch"):
            with guarded():
                _ask(visitor, draft)
                st.rerun()
    if plan is None:
        return
    if not is_current:
        st.caption(t("The estimate is of the settings before."))
    every = SECONDS_BETWEEN_LOOKS if plan.found is None else None
    st.fragment(_show, run_every=every)(visitor, draft, plan)


def _ask(visitor: Visitor, draft: ConfigDraft) -> None:
    draft.was_tried = True
    accepted = visitor.client.train.plan(draft.values, key=draft.key_for(WISH))
    draft.came_true(WISH)
    if draft.plan is None or draft.plan.task_id != accepted.task_id:
        before = draft.plan if draft.plan is not None and draft.plan.found else draft.earlier
        draft.plan, draft.earlier = Plan(accepted.task_id, draft.values), before


def _show(visitor: Visitor, draft: ConfigDraft, plan: Plan) -> None:
    t = visitor.t
    if plan.found is not None:
        show_plan(plan.found, t, draft.earlier.found if draft.earlier else None)
        return
    try:
        task = visitor.client.tasks.show(plan.task_id)
    except PlatformError as error:
        if not error.retryable:
            draft.plan = None
            with guarded():
                raise
        st.caption(t("The platform does not answer. This page goes on as soon as it does."))
        return
    if task.status is TaskState.SUCCESS and isinstance(task.result, dict):
        plan.found = task.result
        st.rerun()
    elif task.status.is_final:
        if task.error:
            show_failure(task.error.code, task.error.detail, t, stopped=task.status is TaskState.REVOKED)
        else:
            st.caption(t(STATES[task.status][0]))
    else:
        waits = task.status is not TaskState.STARTED
        st.status(t("Waiting for a free worker…") if waits else t("Measuring a few steps…"), state="running")

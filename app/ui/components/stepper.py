"""Where a training stands, as steps one after another."""

from html import escape

import streamlit as st

from app.domain.task import Stage, TaskState
from app.schemas.tasks import TaskView
from app.ui.components.task_words import STAGES
from app.ui.words import Words

_LIST = (
    "display:grid;grid-template-columns:repeat(auto-fit,minmax(5.6rem,1fr));gap:.9rem .5rem;list-style:none;"
    "padding:0;margin:.25rem 0 .5rem 0"
)
_ACCENT = "light-dark(#2457d6,#7ea6ff)"
_WRONG = "light-dark(#b3261e,#ff8a80)"
_TODO = "color-mix(in srgb,currentColor 18%,transparent)"


def stepper(task: TaskView, t: Words) -> None:
    """The steps of a training: those done, the one it is in, those to come; the one it stopped in where it did."""
    order = list(Stage)
    here = len(order) if task.status is TaskState.SUCCESS else order.index(task.stage)
    is_broken = task.status in (TaskState.FAILURE, TaskState.REVOKED)
    items = [_step(place, stage, here, task.progress, t, is_broken=is_broken) for place, stage in enumerate(order)]
    st.html(f'<ol aria-label="{escape(t("Progress"))}" style="{_LIST}">{"".join(items)}</ol>')


def _step(place: int, stage: Stage, here: int, progress: float, t: Words, *, is_broken: bool) -> str:
    name, current = escape(t(STAGES[stage])), ""
    if place < here:
        sign, bar, style = "✓", _ACCENT, ""
    elif place > here:
        sign, bar, style = "", _TODO, "opacity:.72"
    else:
        current = ' aria-current="step"'
        share = round(100 * progress) if stage is Stage.TRAINING else 50
        colour = _WRONG if is_broken else _ACCENT
        sign, style = ("✕" if is_broken else "●"), "font-weight:600"
        bar = f"linear-gradient(to right,{colour} {share}%,{_TODO} {share}%)" if not is_broken else colour
    mark = f'<span aria-hidden="true">{sign}</span> ' if sign else ""
    return (
        f'<li{current} style="{style}"><div style="height:.35rem;border-radius:.2rem;background:{bar}"></div>'
        f'<div style="font-size:.875rem;margin-top:.3rem">{mark}{name}</div></li>'
    )

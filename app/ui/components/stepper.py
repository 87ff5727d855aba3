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

_UNDER_WAY = f"repeating-linear-gradient(-45deg,{_ACCENT} 0 .35rem,{_TODO} .35rem .7rem)"
"""Of steps that do not say how far they are."""


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
        sign, style = ("✕" if is_broken else "●"), "font-weight:600"
        bar = _WRONG if is_broken else _UNDER_WAY
        if stage is Stage.TRAINING and not is_broken:
            share = round(100 * progress)
            bar = f"linear-gradient(to right,{_ACCENT} {share}%,{_TODO} {share}%)"
    mark = f'<span aria-hidden="true">{sign}</span> ' if sign else ""
    return (
        f'<li{current} style="{style}"><div style="height:.35rem;border-radius:.2rem;background:{bar}"></div>'
        f'<div style="font-size:.875rem;margin-top:.3rem">{mark}{name}</div></li>'
    )

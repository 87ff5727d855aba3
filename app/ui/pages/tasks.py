"""Tasks: what the platform does for one now and did before; one of them in full with `?task=ID`."""

import streamlit as st

from app.ui.components.task_detail import draw_task
from app.ui.components.task_list import draw_list
from app.ui.context import Visitor


def draw(visitor: Visitor) -> None:
    """Draw the page."""
    task_id = st.query_params.get("task")
    if task_id:
        draw_task(visitor, task_id)
    else:
        draw_list(visitor)

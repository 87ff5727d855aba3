"""What a training would take, and why it was planned so."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.domain.plan import Decision
from app.ui.components.config_words import FIELDS
from app.ui.components.states import plain
from app.ui.words import Words


def show_plan(found: Mapping[str, Any], t: Words, before: Mapping[str, Any] | None = None) -> None:
    """Time, memory and steps, against those of another plan where one is given; then each choice with its reason."""
    old = before or {}
    with st.container(horizontal=True, gap="medium"):
        _number(t("Time"), found, old, "estimated_seconds", t.duration)
        _number(t("Memory"), found, old, "estimated_memory_bytes", t.size)
        _number(t("Steps"), found, old, "total_steps", t.number)
        st.metric(t("Runs on"), str(found.get("device") or "–").upper(), width="content")
    decisions = found.get("decisions") or []
    if decisions:
        with st.expander(t("What was chosen for you, and why"), icon=":material/tune:"):
            show_choices(decisions, t)


def show_choices(decisions: Sequence[Mapping[str, Any]], t: Words) -> None:
    """What became of each `auto`, and why."""
    for one in map(Decision.model_validate, decisions):
        title = t(FIELDS[one.key][0]) if one.key in FIELDS else plain(one.key)
        st.markdown(f"**{title}** · {plain(_short(one.value))}", help=plain(one.key))
        st.caption(plain(t.told(one.told("reason"))))


def _number(label: str, found: Mapping[str, Any], old: Mapping[str, Any], name: str, words: Any) -> None:
    value, earlier = found.get(name), old.get(name)
    if not isinstance(value, int | float):
        return
    change = None
    if isinstance(earlier, int | float) and earlier and words(value) != words(earlier):
        change = f"{'+' if value > earlier else '−'}{words(abs(value - earlier))}"
    st.metric(label, words(value), delta=change, delta_color="off", width="content")


def _short(value: Any) -> str:
    """A value in a few words; of a long list how many there are."""
    if isinstance(value, list) and len(value) > 4:
        return f"{', '.join(map(str, value[:3]))}, … ({len(value)})"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

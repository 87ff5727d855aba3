"""Conditions on experiments, put together from fields or written by hand; the server reads and judges them."""

from datetime import date
from typing import get_args

import streamlit as st

from app.domain.filters import COLUMNS, Kind
from app.domain.task import TaskState
from app.ui.components.task_words import STATES
from app.ui.words import N_, Words

TITLES = {
    "name": N_("Name"),
    "experiment": N_("Experiment"),
    "state": N_("State"),
    "accuracy": N_("Accuracy"),
    "macro_f1": N_("Macro F1"),
    "loss": N_("Loss"),
    "runtime_seconds": N_("Training time"),
    "base_model": N_("Base model"),
    "dataset": N_("Data set"),
    "created_at": N_("Created"),
}
OPERATORS: dict[Kind, dict[str, str]] = {
    "text": {"~": N_("contains"), "=": N_("is"), "!=": N_("is not")},
    "number": {">": N_("is more than"), ">=": N_("is at least"), "<": N_("is less than"), "<=": N_("is at most")},
    "time": {">=": N_("is on or after"), "<": N_("is before")},
    "state": {"=": N_("is"), "!=": N_("is not")},
}
MAX_CONDITIONS = 6
assert set(OPERATORS) == set(get_args(Kind))


def condition(key: str, t: Words) -> str | None:
    """Draw the search field and the filter; the condition they make, None where nothing is asked for."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            t("Search by name"),
            key=f"{key}_search",
            type="search",
            persist_state="page",
            placeholder=t("part of a name"),
        )
        with st.popover(t("Filter"), icon=":material/filter_alt:"):
            asked = _written(key, t) if _by_hand(key, t) else _put_together(key, t)
    parts = [f"name ~ {quoted(name.strip())}"] if name.strip() else []
    parts += [f"({asked})" if parts else asked] if asked else []
    if asked:
        st.code(" and ".join(parts), language=None)
    return " and ".join(parts) or None


def quoted(text: str) -> str:
    """A text as a value of a condition; the language has no way to write both kinds of quotes in one."""
    return f'"{text.replace(chr(34), "")}"' if "'" in text else f"'{text}'"


def _by_hand(key: str, t: Words) -> bool:
    return st.toggle(t("Write the condition yourself"), key=f"{key}_by_hand", persist_state="page")


def _written(key: str, t: Words) -> str:
    text = st.text_area(
        t("Condition"),
        key=f"{key}_where",
        persist_state="page",
        placeholder="accuracy > 0.9 and (base_model = minilm or dataset ~ reviews)",
        help=t("Columns: {columns}. Words: and, or, not, parentheses.", columns=", ".join(COLUMNS)).replace("_", "\\_"),
    )
    return " ".join(text.split())


def _put_together(key: str, t: Words) -> str:
    count_key = f"{key}_conditions"
    count = st.session_state.setdefault(count_key, 1)
    word = "and"
    if count > 1:
        words = {"and": t("all of these hold"), "or": t("any of these holds")}
        word = st.segmented_control(
            t("Show runs for which"), list(words), default="and", format_func=words.__getitem__, key=f"{key}_word",
            required=True, persist_state="page",
        )  # fmt: skip
    found = [one for one in (_line(f"{key}_{index}", t) for index in range(count)) if one]
    with st.container(horizontal=True):
        if count < MAX_CONDITIONS and st.button(t("Add a condition"), icon=":material/add:", key=f"{key}_more"):
            st.session_state[count_key] = count + 1
            st.rerun()
        if count > 1 and st.button(t("Remove the last"), icon=":material/remove:", key=f"{key}_fewer"):
            st.session_state[count_key] = count - 1
            st.rerun()
    return f" {word} ".join(found)


def _line(key: str, t: Words) -> str | None:
    """One condition: a column, a comparison, a value."""
    columns = st.columns([3, 3, 4], vertical_alignment="bottom")
    column = columns[0].selectbox(
        t("Column"),
        list(COLUMNS),
        index=list(COLUMNS).index("accuracy"),
        format_func=lambda name: t(TITLES[name]),
        key=f"{key}_column",
        persist_state="page",
    )
    kind = COLUMNS[str(column)]
    operators = OPERATORS[kind]
    operator = columns[1].selectbox(
        t("Comparison"),
        list(operators),
        format_func=lambda sign: t(operators[sign]),
        key=f"{key}_{kind}_operator",
        persist_state="page",
    )
    with columns[2]:
        value = _value(kind, f"{key}_{kind}_value", t)
    return f"{column} {operator} {value}" if value else None


def _value(kind: Kind, key: str, t: Words) -> str | None:
    title = t("Value")
    if kind == "state":
        return st.selectbox(
            title, list(TaskState), format_func=lambda state: t(STATES[state][0]), key=key, persist_state="page"
        )
    if kind == "number":
        number = st.number_input(title, value=None, format="%f", key=key, persist_state="page")
        return None if number is None else repr(float(number))
    if kind == "time":
        day = st.date_input(title, value=None, key=key, persist_state="page", help=t("Days begin at 00:00 UTC."))
        return day.isoformat() if isinstance(day, date) else None
    text = st.text_input(title, key=key, persist_state="page").strip()
    return quoted(text) if text else None

"""The form of a training's settings, made of the JSON schema the API gives: a few fields, or all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from app.domain.base_models import CATALOG
from app.ui.components.config_draft import ConfigDraft, Key, as_text, current, from_text
from app.ui.components.config_words import FIELDS, GROUPS
from app.ui.components.states import plain
from app.ui.words import Words

BASIC = ("experiment_name", "model.name", "training.num_train_epochs", "training.max_steps", "lora.r")
CHOSEN_ELSEWHERE = ("data.train",)
"""What the page has boxes of its own for."""


@dataclass(frozen=True)
class Field:
    """One setting: its key, its schema and what is wrong with it."""

    key: Key
    schema: dict[str, Any]
    problem: str = ""

    @property
    def name(self) -> str:
        """Dotted, as in `--set`."""
        return ".".join(self.key)

    @property
    def pointer(self) -> str:
        """The JSON pointer."""
        return "/" + "/".join(self.key)

    @property
    def branches(self) -> list[dict[str, Any]]:
        """What it takes, one schema each."""
        return self.schema.get("anyOf") or [self.schema]

    @property
    def items(self) -> list[str]:
        """The words a list is made of; empty where it is none, or of any words."""
        return list(self.schema.get("items", {}).get("enum", ()))


def fields_of(schema: Mapping[str, Any], problems: Mapping[str, str]) -> list[Field]:
    """Every setting of a schema, in declared order; `problems` are by JSON pointer."""
    found: list[Field] = []

    def walk(node: Mapping[str, Any], prefix: Key) -> None:
        for name, child in node.get("properties", {}).items():
            key = (*prefix, name)
            if "$ref" in child:
                walk(schema["$defs"][child["$ref"].rsplit("/", 1)[-1]], key)
            else:
                field = Field(key, child)
                found.append(Field(key, child, problems.get(field.pointer, "")))

    walk(schema, ())
    return found


def basic_form(fields: list[Field], draft: ConfigDraft, t: Words) -> set[str]:
    """The few settings people need, in the order of BASIC; the pointers that were shown."""
    known = {field.name: field for field in fields}
    shown = [known[name] for name in BASIC if name in known]
    _in_columns(shown, draft, t)
    return {field.pointer for field in shown}


def expert_form(fields: list[Field], draft: ConfigDraft, t: Words) -> set[str]:
    """Every setting by group; a group with a problem stands open. The pointers that were shown."""
    shown = [field for field in fields if field.name not in CHOSEN_ELSEWHERE]
    for group in dict.fromkeys(field.key[0] if len(field.key) > 1 else "" for field in shown):
        members = [field for field in shown if (field.key[0] if len(field.key) > 1 else "") == group]
        is_wrong = any(field.problem for field in members)
        title = t(GROUPS[group]) if group in GROUPS else plain(group)
        icon = ":material/error:" if is_wrong else None
        with st.expander(title, expanded=is_wrong or group in ("", "training"), icon=icon, key=f"train:group:{group}"):
            _in_columns(members, draft, t)
    return {field.pointer for field in shown}


def show_problem(problem: str) -> None:
    """What is wrong, under the field it is about."""
    if problem:
        st.markdown(f":red[:material/error: {plain(problem)}]")


def label_and_help(field: Field, t: Words) -> tuple[str, str]:
    """What a setting is called and does, and what it is without a choice."""
    known = FIELDS.get(field.name)
    label = t(known[0]) if known else plain(field.key[-1])
    does = t(known[1]) if known else plain(str(field.schema.get("description", "")))
    default = as_text(field.schema.get("default"))
    usual = t("Without a choice: {value}.", value=plain(default)) if default else ""
    return label, "  \n".join(part for part in (does, usual, f"`{field.name}`") if part)


def _in_columns(fields: list[Field], draft: ConfigDraft, t: Words) -> None:
    columns = st.columns(2, gap="medium")
    for place, field in enumerate(fields):
        with columns[place % 2]:
            _widget(field, draft, t)
            show_problem(field.problem)


def _widget(field: Field, draft: ConfigDraft, t: Words) -> None:
    """The widget that suits a schema, showing what the draft says."""
    label, about = label_and_help(field, t)
    shown = _shown(field, draft)
    key = draft.widget(field.name, shown)
    shared: dict[str, Any] = {"key": key, "help": about, "on_change": _changed, "args": (field, key)}
    if field.name == "model.name":
        models = list(dict.fromkeys([*CATALOG, shown]))
        st.selectbox(label, models, models.index(shown), partial(_model, t), accept_new_options=True, **shared)
    elif "enum" in field.schema:
        options = list(dict.fromkeys([*field.schema["enum"], shown]))
        st.selectbox(label, options, options.index(shown), **shared)
    elif field.schema.get("type") == "boolean":
        st.toggle(label, shown, **shared)
    elif field.items:
        options = list(dict.fromkeys([*field.items, *shown]))
        st.multiselect(label, options, shown, placeholder=t("none"), **shared)
    elif "const" in field.schema:
        st.text_input(label, as_text(field.schema["const"]), disabled=True, help=about)
    else:
        usual = as_text(field.schema.get("default"))
        st.text_input(label, shown, placeholder=usual or t("none"), **shared)


def _shown(field: Field, draft: ConfigDraft) -> Any:
    """What a widget shows of what was chosen; of what it cannot show, the default, and the problem stands below."""
    value, default = draft.get(field.key), field.schema.get("default")
    if field.schema.get("type") == "boolean":
        return value if isinstance(value, bool) else bool(default)
    if field.items:
        usual = default or (field.items if field.schema.get("minItems") else [])
        return [str(one) for one in value] if isinstance(value, list) else usual
    if "enum" in field.schema or field.name == "model.name":
        return as_text(default if value is None else value)
    return as_text(value)


def _changed(field: Field, key: str) -> None:
    """What was typed goes to the draft at once, whatever becomes of this page."""
    draft, value = current(), st.session_state[key]
    if isinstance(value, str):
        kinds = [str(branch.get("type", "string")) for branch in field.branches]
        words = [str(word) for branch in field.branches for word in _words(branch)]
        value = from_text(value, kinds, words)
    is_usual = isinstance(value, bool | str) and value == field.schema.get("default")
    draft.put(field.key, None if is_usual else value)
    draft.was_typed(field.name, _shown(field, draft))


def _words(branch: Mapping[str, Any]) -> list[Any]:
    return [branch["const"]] if "const" in branch else list(branch.get("enum", ()))


def _model(t: Words, name: str) -> str:
    known = CATALOG.get(name)
    return f"{name} · {t.told(known.language)}" if known else name

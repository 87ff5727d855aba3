"""The settings somebody is choosing: one set of values, seen as a form and as YAML, kept until the browser tab closes.

Which keys there are and what they take is the API's to say; here values are only carried from one view to the other.
"""

import json
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
import yaml

from app.client.connection import new_key
from app.domain.wording import Said, say
from app.ui.words import N_

Key = tuple[str, ...]
_STATE = "train_draft"
MAX_YAML = 100_000
MAX_DEPTH = 20
SECONDS_OF_A_DOUBLE_CLICK = 10.0
_OPENING = (yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken, yaml.BlockMappingStartToken)


@dataclass
class Plan:
    """An estimate: the task that makes it, of which values, and what it gave."""

    task_id: str
    values: dict[str, Any]
    found: dict[str, Any] | None = None


@dataclass(frozen=True)
class Fault:
    """Why a text cannot be read, and where, counted from 1; `line` is 0 where that is not one place."""

    what: str
    line: int = 0
    column: int = 0


@dataclass
class ConfigDraft:
    """`values` holds what was chosen, never a default; `text` is its YAML as typed, `fault` why that cannot be read."""

    values: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    fault: Fault | None = None
    plan: Plan | None = None
    earlier: Plan | None = None
    was_tried: bool = False
    keys: dict[str, tuple[str, dict[str, Any], float | None]] = field(default_factory=dict)
    shown: dict[str, tuple[int, Any]] = field(default_factory=dict)

    def get(self, key: Key) -> Any:
        """What was chosen for a key; None where nothing was."""
        found: Any = self.values
        for part in key:
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def put(self, key: Key, value: Any) -> None:
        """Choose a value; None takes the choice back."""
        self.values = _with(self.values, key, value)
        self.text, self.fault = as_yaml(self.values), None

    def take_text(self, text: str) -> None:
        """Read the YAML somebody typed; what cannot be read stays as it was typed, and changes nothing else."""
        self.text = text
        try:
            self.values, self.fault = read_yaml(text), None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
            self.fault = Fault(getattr(error, "problem", None) or str(error), *place)
        except (ValueError, TypeError, RecursionError) as error:
            what = error.args[0] if error.args else ""
            self.fault = Fault(what if isinstance(what, Said) else str(error))

    def widget(self, name: str, value: Any) -> str:
        """The key of the widget that shows a value: another one once the value changed other than by the widget itself.

        A widget begins with the value it is given; one that is there is not disturbed, least of all while it is typed
        into.
        """
        number, before = self.shown.get(name, (0, value))
        self.shown[name] = (number + (before != value), value)
        return f"train:{name}:{self.shown[name][0]}"

    def was_typed(self, name: str, value: Any) -> None:
        """A widget shows the value already: it was chosen there."""
        self.shown[name] = (self.shown.get(name, (0, value))[0], value)

    def key_for(self, wish: str) -> str:
        """The idempotency key of a wish: the same for the same values until it came true, and a moment longer."""
        key, values, done = self.keys.get(wish, ("", {}, None))
        is_over = done is not None and time.monotonic() - done > SECONDS_OF_A_DOUBLE_CLICK
        if not key or values != self.values or is_over:
            key = new_key()
            self.keys[wish] = (key, deepcopy(self.values), None)
        return key

    def came_true(self, wish: str) -> None:
        """The wish was accepted; asking again at once is a double click, later it is another wish."""
        key, values, done = self.keys[wish]
        self.keys[wish] = (key, values, done or time.monotonic())


def current() -> ConfigDraft:
    """The settings at hand."""
    found = st.session_state.get(_STATE)
    if not isinstance(found, ConfigDraft):
        found = st.session_state[_STATE] = ConfigDraft()
    return found


def forget() -> None:
    """Begin anew."""
    st.session_state[_STATE] = ConfigDraft()


def as_yaml(values: dict[str, Any]) -> str:
    """Values as YAML; nothing for none."""
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True) if values else ""


def read_yaml(text: str) -> dict[str, Any]:
    """YAML as values that JSON has too; YAMLError, ValueError or TypeError where it is none."""
    if len(text) > MAX_YAML:
        raise ValueError(say(N_("more than {count:,} characters"), count=MAX_YAML))
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.AliasToken):
            raise yaml.MarkedYAMLError(problem=N_("aliases are not used here"), problem_mark=token.start_mark)
        depth += isinstance(token, _OPENING)
        depth -= isinstance(token, yaml.FlowMappingEndToken | yaml.FlowSequenceEndToken | yaml.BlockEndToken)
        if depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=N_("nested too deep"), problem_mark=token.start_mark)
    found = yaml.safe_load(text)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ValueError(say(N_("expected lines like 'key: value'")))
    plain: dict[str, Any] = json.loads(json.dumps(found, allow_nan=False))
    return plain


def as_text(value: Any) -> str:
    """A value as somebody would type it into a field; nothing for none."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    if isinstance(value, bool | list | dict):
        return yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1000).partition("\n")[0]
    return str(value)


def from_text(text: str, kinds: Sequence[str], words: Sequence[str]) -> Any:
    """What somebody means who types a text into a field for JSON types `kinds`, in which `words` stand for themselves.

    What is none of them stays a text, for the API to refuse. None for nothing.
    """
    text = text.strip()
    if not text:
        return None
    if text in words:
        return text
    for number, kind in ((int, ("integer", "number")), (float, ("number",))):
        if any(one in kinds for one in kind):
            try:
                found: Any = number(text)
                json.dumps(found, allow_nan=False)
            except ValueError:
                continue
            return found
    if "object" in kinds and text.startswith("{"):
        try:
            return read_yaml(text)
        except (yaml.YAMLError, ValueError, TypeError):
            return text
    if "array" in kinds:
        return [part.strip() for part in text.strip("[]").split(",") if part.strip()]
    return text


def _with(values: dict[str, Any], key: Key, value: Any) -> dict[str, Any]:
    """A copy with one value set, or taken out together with the groups it leaves empty."""
    changed, (name, *rest) = dict(values), key
    if rest:
        group = changed.get(name)
        value = _with(group if isinstance(group, dict) else {}, tuple(rest), value) or None
    if value is None:
        changed.pop(name, None)
    else:
        changed[name] = value
    return changed

"""What is wrong with the values of a configuration, all of it at once, each fault by its key and in our words.

Where the values came from (a file's line, an option, a request's body) is the business of whoever asks.
"""

import types
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from app.domain.train_config import TrainConfig
from app.domain.wording import Said, say
from app.services.configuration_help import Key, allowed_values, keys_beside, known_keys, nearest_key

MAX_SHOWN = 80


@dataclass(frozen=True)
class Fault:
    """`key` is empty for what concerns the configuration as a whole."""

    key: Key
    message: Said


def check(values: Any) -> tuple[TrainConfig | None, list[Fault]]:
    """The configuration, or what is wrong with it."""
    faults = _booleans_as_numbers(values)
    try:
        config = TrainConfig.model_validate(values)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            key = _key_of(fault["loc"])
            text = _describe(key, dict(fault), values)
            if not any(known.key == key and (key or known.message == text) for known in faults):
                faults.append(Fault(key, text))
        return None, faults
    return (None if faults else config), faults


def look_up(values: Any, key: Key) -> Any:
    """The value at a key; None where there is none."""
    for part in key:
        values = values.get(part) if isinstance(values, dict) else None
    return values


def _booleans_as_numbers(values: Any) -> list[Fault]:
    """Pydantic would read `true` as 1, and nobody means that."""
    faults = []
    for key in known_keys(TrainConfig):
        value, allowed = look_up(values, key), allowed_values(TrainConfig, key)
        if isinstance(value, bool) and allowed is not None and "true or false" not in allowed:
            faults.append(
                Fault(key, say("{value} is not allowed; expected {allowed}", value=str(value).lower(), allowed=allowed))
            )
    return faults


def _key_of(location: tuple[int | str, ...]) -> Key:
    """The configuration key of an error; pydantic appends the branch of a union, which is no key of ours."""
    key: list[str] = []
    model: Any = TrainConfig
    for part in location:
        if not isinstance(part, str) or model is None:
            break
        key.append(part)
        known = model.model_fields.get(part)
        model = _model_in(known.annotation) if known is not None else None
    return tuple(key)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType):
        return next((found for arg in get_args(annotation) if (found := _model_in(arg)) is not None), None)
    return None


def _describe(key: Key, fault: dict[str, Any], values: Any) -> Said:
    if fault["type"] == "extra_forbidden":
        near = nearest_key(TrainConfig, key) if len(key[-1]) <= MAX_SHOWN else None
        if near:
            return say("unknown key; did you mean {near}?", near=near)
        group, known = ".".join(key[:-1]), ", ".join(keys_beside(TrainConfig, key))
        if not group:
            return say("unknown key; a configuration has {keys}", keys=known)
        return say("unknown key; {group} has {keys}", group=group, keys=known)
    if fault["type"] == "value_error":
        return Said.of(str(fault["msg"]).removeprefix("Value error, "), None)
    allowed = allowed_values(TrainConfig, key)
    given = look_up(values, key)
    shown = yaml.safe_dump(given, default_flow_style=True, allow_unicode=True).strip().removesuffix("\n...")
    if not allowed:
        return say("{value} is not allowed", value=shown[:MAX_SHOWN])
    return say("{value} is not allowed; expected {allowed}", value=shown[:MAX_SHOWN], allowed=allowed)

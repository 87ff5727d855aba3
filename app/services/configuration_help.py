"""What a configuration key takes, in words, and which known key a wrong one was meant to be: read off the model."""

import difflib
from functools import lru_cache, reduce
from typing import Any

from pydantic import BaseModel

from app.domain.wording import Said, say, words

Key = tuple[str, ...]

_KINDS = {
    "integer": say("a whole number"),
    "number": say("a number"),
    "string": say("text"),
    "boolean": say("true or false"),
    "null": say("null"),
}
_LIMITS = {
    "exclusiveMinimum": words("above {limit}"),
    "minimum": words("at least {limit}"),
    "exclusiveMaximum": words("below {limit}"),
    "maximum": words("at most {limit}"),
}


@lru_cache
def known_keys(model: type[BaseModel]) -> dict[Key, dict[str, Any]]:
    """Every key, groups included, with its JSON schema; in declared order."""
    return keys_in(model.model_json_schema())


def keys_in(schema: dict[str, Any]) -> dict[Key, dict[str, Any]]:
    """Every key of a JSON schema, groups included, with its own; in declared order."""
    definitions = schema.get("$defs", {})
    found: dict[Key, dict[str, Any]] = {}

    def walk(node: dict[str, Any], prefix: Key) -> None:
        for name, child in node.get("properties", {}).items():
            found[(*prefix, name)] = child
            if "$ref" in child:
                walk(definitions[child["$ref"].rsplit("/", 1)[-1]], (*prefix, name))

    walk(schema, ())
    return found


def is_group(model: type[BaseModel], key: Key) -> bool:
    """Whether a key holds other keys rather than a value."""
    return "$ref" in known_keys(model).get(key, {})


def leaf_keys(model: type[BaseModel]) -> dict[Key, dict[str, Any]]:
    """The keys that take a value, without the groups."""
    return _leaves(known_keys(model))


def leaf_keys_in(schema: dict[str, Any]) -> dict[Key, dict[str, Any]]:
    """The keys of a JSON schema that take a value."""
    return _leaves(keys_in(schema))


def _leaves(keys: dict[Key, dict[str, Any]]) -> dict[Key, dict[str, Any]]:
    return {key: schema for key, schema in keys.items() if "$ref" not in schema}


def keys_beside(model: type[BaseModel], key: Key) -> list[str]:
    """The last words of the known keys in the group of `key`."""
    return [known[-1] for known in known_keys(model) if known[:-1] == key[:-1]]


def nearest_key(model: type[BaseModel], key: Key) -> str | None:
    """The known key, dotted, that a wrong one most resembles: in its own group, else by its last word anywhere."""
    keys = list(known_keys(model))
    siblings = {known[-1]: known for known in keys if known[:-1] == key[:-1]}
    for candidates in (siblings, {known[-1]: known for known in reversed(keys)}):
        near = difflib.get_close_matches(key[-1], candidates, n=1, cutoff=0.7)
        if near:
            return ".".join(candidates[near[0]])
    near = difflib.get_close_matches(".".join(key), [".".join(known) for known in leaf_keys(model)], n=1, cutoff=0.7)
    return near[0] if near else None


def allowed_values(model: type[BaseModel], key: Key) -> Said | None:
    """What a key takes, in words, such as "auto or a number above 0, at most 1"; None for an unknown key."""
    schema = known_keys(model).get(key)
    return None if schema is None else describe_schema(schema)


def describe_schema(schema: dict[str, Any]) -> Said:
    """One JSON schema in words."""
    if "anyOf" in schema:
        return reduce(_either, dict.fromkeys(describe_schema(branch) for branch in schema["anyOf"]))
    if "const" in schema:
        return say("{value}", value=str(schema["const"]))
    if "enum" in schema:
        return say("one of {values}", values=_listed(schema))
    if "$ref" in schema:
        return say("a group of keys")
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items", {})
        shown = _listed(items) if "enum" in items else describe_schema(items)
        return say("a list of at least 1: {items}" if schema.get("minItems") else "a list of {items}", items=shown)
    if kind == "object":
        return say("names, each with {values}", values=describe_schema(schema.get("additionalProperties") or {}))
    named, limits = _KINDS.get(str(kind), say("any value")), _bounds(schema)
    return say("{kind} {limits}", kind=named, limits=limits) if limits else named


def _either(one: Said, other: Said) -> Said:
    return say("{one} or {other}", one=one, other=other)


def _listed(schema: dict[str, Any]) -> str:
    return ", ".join(str(value) for value in schema["enum"])


def _bounds(schema: dict[str, Any]) -> list[Said]:
    limits = [say(pattern, limit=schema[keyword]) for keyword, pattern in _LIMITS.items() if keyword in schema]
    return [*limits, say("matching {pattern}", pattern=schema["pattern"])] if "pattern" in schema else limits

"""`/docs`: the OpenAPI document as a page for people, made here whole: no script, nothing from another place."""

import hashlib
import json
import re
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

Node = Mapping[str, Any]
"""A piece of the document."""

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
details { border-bottom: 1px solid #8884; padding: .4rem 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
summary b { display: inline-block; min-width: 4.5rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid #8882; }
pre { overflow: auto; padding: .6rem; background: #8881; }
"""
POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a browser may load for the page: the style within it, and nothing else."""


def install(app: FastAPI) -> None:
    """Answer GET /docs."""

    @cache
    def made() -> str:
        return page(app.openapi())

    async def documentation(_request: Request) -> HTMLResponse:
        return HTMLResponse(made(), headers={"Content-Security-Policy": POLICY})

    app.add_route("/docs", documentation, methods=["GET"], include_in_schema=False)


def page(document: Node) -> str:
    """The whole document as HTML."""
    title = escape(document["info"]["title"])
    by_tag: dict[str, list[str]] = defaultdict(list)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            by_tag[operation.get("tags", ["other"])[0]].append(_operation(method, path, operation))
    parts = [f"<h2>{escape(tag)}</h2>{''.join(shown)}" for tag, shown in by_tag.items()]
    schemas = document["components"]["schemas"]
    parts += ["<h2>Schemas</h2>", *(_schema(name, schema) for name, schema in sorted(schemas.items()))]
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    told = f'{_text(document["info"]["description"])}<p>For programs: <a href="/openapi.json">openapi.json</a></p>'
    return f"{head}<h1>{title}</h1>{told}{''.join(parts)}</html>"


def _operation(method: str, path: str, operation: Node) -> str:
    description = operation.get("description", "")
    summary = f"<b>{method.upper()}</b> <code>{escape(path)}</code> {_inline(description.partition('. ')[0])}"
    needs = "<p>Needs a sign-in.</p>" if operation.get("security") else ""
    parameters = [
        (
            f"<code>{escape(one['name'])}</code>",
            escape(one["in"]) + (", needed" if one.get("required") else ""),
            _shape(one["schema"]),
            _inline(one.get("description", "")),
        )
        for one in operation.get("parameters", [])
    ]
    body = operation.get("requestBody", {}).get("content", {})
    answers = [
        (status, _inline(answer["description"]), _content(answer.get("content", {})))
        for status, answer in sorted(operation["responses"].items())
    ]
    return (
        f"<details><summary>{summary}</summary>{_text(description)}{needs}"
        f"{_table('Parameters', parameters)}{_table('Body', _content_rows(body))}{_table('Answers', answers)}</details>"
    )


def _schema(name: str, schema: Node) -> str:
    required = set(schema.get("required", []))
    rows = [
        (
            f"<code>{escape(key)}</code>",
            "needed" if key in required else "",
            _shape(value),
            _inline(value.get("description", "")),
        )
        for key, value in schema.get("properties", {}).items()
    ]
    examples = "".join(
        f"<pre>{escape(json.dumps(one, ensure_ascii=False, indent=2))}</pre>" for one in schema.get("examples", [])
    )
    shape = "" if rows else f"<p>{_shape(schema)}</p>"
    # The anchor is inside, so that a link to it opens what it is in.
    inner = f'<div id="{escape(name)}">{_text(schema.get("description", ""))}{shape}{_table("", rows)}{examples}</div>'
    return f"<details><summary><code>{escape(name)}</code></summary>{inner}</details>"


def _shape(schema: Node) -> str:
    """What a value looks like, in words, with links to what has a name."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(_shape(one) for one in schema[several])
    if "properties" in schema:
        return f"object: {', '.join(f'{escape(key)} ({_shape(value)})' for key, value in schema['properties'].items())}"
    if "items" in schema:
        return f"list of {_shape(schema['items'])}"
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " | ".join(f"<code>{escape(json.dumps(value))}</code>" for value in values)
    words = [str(schema.get("type", "anything")), schema.get("format", "")]
    bounds = ("minimum", "maximum", "minLength", "maxLength", "pattern", "default")
    words += [f"{name} {json.dumps(schema[name])}" for name in bounds if schema.get(name) is not None]
    return escape(", ".join(word for word in words if word))


def _content_rows(content: Node) -> list[tuple[str, str]]:
    return [
        (escape(kind), _shape(told.get("schema") or told.get("itemSchema") or {})) for kind, told in content.items()
    ]


def _content(content: Node) -> str:
    return "<br>".join(f"{kind}: {shape}" for kind, shape in _content_rows(content))


def _table(caption: str, rows: Iterable[tuple[str, ...]]) -> str:
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"{f'<b>{caption}</b>' if caption else ''}<table>{lines}</table>" if lines else ""


def _text(text: str) -> str:
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in text.split("\n\n") if paragraph.strip())


def _inline(text: str) -> str:
    """Plain text, with `code` as such."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))

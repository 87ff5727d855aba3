"""/docs is one page, made here: it has all of the OpenAPI document, and needs nothing from elsewhere."""

import hashlib
import re
from base64 import b64encode
from html import escape

from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api.documentation import page


def test_the_page_has_every_operation_parameter_answer_and_schema(api: FastAPI, client: TestClient) -> None:
    answer = client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    document = api.openapi()
    operations = answer.text.split("<details>")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            start = f"<summary><b>{method.upper()}</b> <code>{escape(path)}</code> "
            [shown] = [one for one in operations if one.startswith(start)]
            for name in [parameter["name"] for parameter in operation.get("parameters", [])]:
                assert f"<code>{escape(name)}</code>" in shown
            for status in operation["responses"]:
                assert f"<td>{status}</td>" in shown
    anchors = set(re.findall(r'id="([^"]+)"', answer.text))
    assert anchors == set(document["components"]["schemas"])
    assert set(re.findall(r'href="#([^"]+)"', answer.text)) <= anchors


def test_the_page_loads_nothing_and_its_style_is_the_one_its_policy_allows(client: TestClient) -> None:
    answer = client.get("/docs")
    assert not re.search(r"<script|<link|<img|<iframe| src=|@import|url\(|https?://", answer.text)
    [style] = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    allowed = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{allowed}';" in answer.headers["content-security-policy"]


def test_words_of_the_document_are_no_markup() -> None:
    evil = "<script>alert(1)</script>"
    operation = {"tags": [evil], "description": evil, "responses": {"200": {"description": evil}}}
    schema = {"description": evil, "properties": {evil: {"enum": [evil]}}, "examples": [evil]}
    document = {
        "info": {"title": evil, "description": evil},
        "paths": {f"/{evil}": {"get": operation}},
        "components": {"schemas": {evil: schema}},
    }
    assert "<script" not in page(document)

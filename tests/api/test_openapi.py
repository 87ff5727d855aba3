"""The OpenAPI document is complete: what a route takes, gives and refuses, with examples, stands in it."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api.errors import PROBLEM_JSON
from app.domain.errors import InvalidInput
from app.runs.directory import check_run_name

Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture
def document(api: FastAPI) -> dict[str, Any]:
    return api.openapi()


def operations(document: dict[str, Any]) -> list[Operation]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_has_a_tag_a_sentence_and_an_id_of_its_own(document: dict[str, Any]) -> None:
    found = operations(document)
    assert [path for _, path, operation in found if not operation.get("tags") or not operation.get("description")] == []
    ids = [operation["operationId"] for _, _, operation in found]
    assert len(set(ids)) == len(ids)


def test_every_refusal_is_problem_json(document: dict[str, Any]) -> None:
    wrong = [
        (method, path, status)
        for method, path, operation in operations(document)
        for status, response in operation["responses"].items()
        if int(status) >= 400 and set(response.get("content", {})) != {PROBLEM_JSON}
    ]
    assert wrong == []


def test_every_operation_that_asks_for_a_sign_in_says_what_without_one(document: dict[str, Any]) -> None:
    missing = [
        (method, path)
        for method, path, operation in operations(document)
        if operation.get("security") and not {"401", "403"} <= operation["responses"].keys()
    ]
    assert missing == []


def test_every_operation_with_a_name_in_its_path_may_find_none(document: dict[str, Any]) -> None:
    missing = [
        (method, path)
        for method, path, operation in operations(document)
        if "{" in path and method != "put" and "404" not in operation["responses"]
    ]
    assert missing == []


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    def has_example(schema: dict[str, Any]) -> bool:
        target = schemas[schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema
        if "examples" in target or "example" in target:
            return True
        fields = [field for field in target.get("properties", {}).values() if "default" not in field]
        return bool(fields) and any(
            "examples" in field or "const" in field or has_example(field) for field in fields if field is not target
        )

    missing = []
    for method, path, operation in operations(document):
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            if media_type == "application/json" and not has_example(content["schema"]):
                missing.append((method, path))
    assert missing == []


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(node: Any) -> set[str]:
        if isinstance(node, list):
            return {found for one in node for found in references(one)}
        if not isinstance(node, dict):
            return set()
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own | {found for one in node.values() for found in references(one)}

    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) - known == set()


def test_the_document_is_served_to_anybody(client: TestClient, document: dict[str, Any]) -> None:
    assert client.get("/openapi.json").json() == document


def test_no_run_has_a_name_that_is_a_word_in_an_address(document: dict[str, Any]) -> None:
    words = {path.split("/")[2] for path in document["paths"] if path.startswith("/experiments/")}
    for word in words - {"{name}"}:
        with pytest.raises(InvalidInput):
            check_run_name(word)
    assert "compare" in words


def test_what_creates_something_takes_a_key(document: dict[str, Any]) -> None:
    without = [
        path
        for method, path, operation in operations(document)
        if method == "post" and {"201", "202"} & operation["responses"].keys()
        if "Idempotency-Key" not in {parameter["name"] for parameter in operation.get("parameters", [])}
    ]
    assert without == ["/setup", "/task/{task_id}/cancel"], "what can be done once alone, and what is the same twice"

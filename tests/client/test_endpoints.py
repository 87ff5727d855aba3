"""The client and the API's own description agree: each operation has one method, and no method has none."""

import inspect
from collections import Counter
from typing import Any

from app.client import Client
from app.client.endpoint import Noun
from tests.api_server import ApiServer


def _methods(client: Client) -> list[tuple[str, Any]]:
    nouns = [noun for noun in vars(client).values() if isinstance(noun, Noun)]
    return [
        (f"{type(noun).__name__}.{name}", method)
        for noun in nouns
        for name, method in inspect.getmembers(type(noun), callable)
        if hasattr(method, "operation")
    ]


def test_each_operation_of_the_api_has_exactly_one_method(api_server: ApiServer) -> None:
    declared = {
        (method.upper(), path)
        for path, operations in api_server.app.openapi()["paths"].items()
        for method in operations
        if method in ("get", "put", "post", "patch", "delete", "head", "options", "trace")
    }
    with Client(api_server.address) as client:
        covered = Counter(method.operation for _, method in _methods(client))
    assert sorted(declared - set(covered)) == []
    assert sorted(set(covered) - declared) == []
    assert [operation for operation, count in covered.items() if count > 1] == []


def test_every_method_says_what_it_gives_and_takes() -> None:
    with Client("http://127.0.0.1:1") as client:
        for name, method in _methods(client):
            if name.rpartition(".")[2].startswith("_"):
                continue
            hints = inspect.signature(method, eval_str=True)
            assert hints.return_annotation is not inspect.Signature.empty, name
            assert method.__doc__, name

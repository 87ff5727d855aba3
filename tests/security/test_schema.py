"""The API keeps to its own OpenAPI document, whatever it is sent and whoever sends it.

schemathesis makes requests that fit the document and requests that do not; each is sent by nobody, a viewer, a user
and an administrator, to a real server on a real database. No answer is a 5xx, or has a status, a kind of content or a
shape that the document does not declare. FINETUNE_SCHEMA_EXAMPLES is how many requests of each kind there are for each
operation; `make security` takes many.
"""

import os
import re
import shutil
import uuid
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import SkipTest

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.generation.feedback import NO_FEEDBACK
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.data import catalogue
from app.db.repositories import datasets, shares
from app.domain.principal import EVERYONE, Caller, Role
from app.main import create_app
from app.services import accounts, authentication
from app.services.platform import Platform, open_platform
from app.settings import Settings, get_settings
from tests.api.conftest import CHEAP, RecordingQueue
from tests.api.permission_cases import CASES, Ask, Things
from tests.api_runs import Runs
from tests.api_server import served
from tests.security.answers import check_answer

EXAMPLES = int(os.environ.get("FINETUNE_SCHEMA_EXAMPLES", "2"))
PASSWORD = "a quiet river at dusk"
TESTS = Caller(local_user="tests")
SECONDS = 120.0
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
UPLOADS = {"POST /datasets", "POST /datasets/validate"}
"""Each of these starts a process that reads the file, so in the short form a worker is left to do it."""


@dataclass
class Server:
    """The API on a real server, and somebody of each role to call it as."""

    platform: Platform
    address: str
    document: schemathesis.BaseSchema
    version: str
    session: requests.Session = field(default_factory=requests.Session)
    tokens: dict[Role, tuple[str, str]] = field(default_factory=dict)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)

    def table(self) -> str:
        """How often each status was answered to whom, as Markdown; `pytest -s` shows it."""
        statuses = sorted({status for _, status in self.answers})
        lines = [f"| asked by | requests | {' | '.join(map(str, statuses))} |", f"|---|{'---:|' * (1 + len(statuses))}"]
        for who in ("nobody", *Role):
            counts = [self.answers[who, status] for status in statuses]
            lines.append(f"| {who} | {sum(counts)} | {' | '.join(map(str, counts))} |")
        return "\n".join(lines)

    def operation(self, route: str) -> Any:
        method, _, path = route.partition(" ")
        return self.document[re.sub(r":path}", "}", path)][method.lower()]

    def account(self, role: Role) -> tuple[str, str]:
        """Name and access token; another account where a request has ended the one before."""
        if role not in self.tokens:
            name = f"{role}-{uuid.uuid4().hex[:8]}"
            accounts.create_user(self.platform, TESTS, name, PASSWORD, role)
            token = authentication.login(self.platform, Caller(), name, PASSWORD).access_token
            self.tokens[role] = (name, token)
        return self.tokens[role]

    def headers(self, role: Role | None) -> dict[str, str]:
        """Who calls, and from an address of its own: sign-ins that fail are limited for each address."""
        digits = uuid.uuid4().bytes
        headers = {"X-Forwarded-For": f"10.{digits[0]}.{digits[1]}.{digits[2]}", "Authorization": "Bearer nobody"}
        if role is not None:
            headers["Authorization"] = f"Bearer {self.account(role)[1]}"
        return headers

    def things(self, owner: Role) -> Things:
        name = self.account(owner)[0]
        return Things(self.platform, Runs(self.platform), name, name, version=self.version)

    def names(self, route: str, owner: Role) -> dict[str, Any]:
        """What stands in a path, of things that exist and belong to that account."""
        made, things = {}, self.things(owner)
        makers: dict[str, Callable[[], Any]] = {
            "task_id": things.prediction if "/predictions" in route else things.task,
            "name": things.data_set if "/datasets" in route else things.run,
            "path": lambda: "evaluation/report.html",
            "number": lambda: 1,
            "grantee": lambda: EVERYONE,
            "username": lambda: things.owner,
            "key_id": things.api_key,
            "session_id": things.session,
        }
        for name in re.findall(r"{(\w+)", route):
            made[name] = makers[name]()
        return made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, reviews_store: Path) -> Iterator[Server]:
    """One installation for all operations, with `reviews@1`, which everybody may read."""
    results = tmp_path_factory.mktemp("schema") / "results"
    shutil.copytree(reviews_store, results)
    given = {"results_dir": results, "max_queued": 1_000_000, "trusted_proxies": "127.0.0.1"}
    platform = open_platform(Settings.model_validate(given), RecordingQueue(), passwords=CHEAP)
    with platform.installation.database.write() as session:
        datasets.claim(session, "reviews", "nobody")
        shares.add(session, "dataset", "reviews", EVERYONE, "nobody")
    app = create_app(platform)
    version = catalogue.entries(results, "reviews")[0].version
    with served(app) as address:
        server = Server(platform, address, schemathesis.openapi.from_dict(app.openapi()), version)
        yield server
        print(f"\n{server.table()}")
    platform.installation.database.engine.dispose()


@pytest.fixture(autouse=True)
def _one_installation(isolated_installation: None, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What reads the environment finds the same installation."""
    monkeypatch.setenv("RESULTS_DIR", str(server.platform.settings.results_dir))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def send_as_everybody(server: Server, route: str, case: schemathesis.Case) -> None:
    for role in (None, *Role):
        headers = server.headers(role)
        if route in UPLOADS and "FINETUNE_SCHEMA_EXAMPLES" not in os.environ:
            headers["Prefer"] = "respond-async"
        answer = case.call(server.address, server.session, headers, timeout=SECONDS)
        server.answers[role or "nobody", answer.status_code] += 1
        case.validate_response(answer, CHECKS, headers=headers)
        found = {name: values[0] for name, values in answer.headers.items()}
        sent = f"{case.path_parameters} {case.query} {case.headers} {case.body}"
        check_answer(answer.status_code, found, answer.content.decode(errors="replace"), sent)
        if role is None:
            assert answer.status_code in (401, 404, 422) or is_public(route), answer.status_code
        if answer.status_code == 401 or (role and answer.status_code == 204 and "/me" in route):
            server.tokens.pop(role, None)


def is_public(route: str) -> bool:
    return route.split()[1] in ("/login", "/refresh", "/setup", "/health", "/ready", "/metrics")


@pytest.mark.parametrize("route", CASES)
def test_no_request_gets_an_answer_that_is_not_declared(server: Server, route: str) -> None:
    operation, sent = server.operation(route), 0
    for names in ({}, server.names(route, Role.USER)) if "{" in route else ({},):
        for mode in GenerationMode:
            strategy = operation.as_strategy(mode, feedback=NO_FEEDBACK, path_parameters=names)

            @seed(zlib.crc32(f"{route} {mode}".encode()))
            @settings(
                max_examples=EXAMPLES,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(strategy)
            def run(case: schemathesis.Case) -> None:
                nonlocal sent
                sent += 1
                send_as_everybody(server, route, case)

            try:
                run()
            except (SkipTest, Unsatisfiable):
                assert mode is GenerationMode.NEGATIVE, "there is always a request that fits"
    assert sent


EXISTING: dict[str, Callable[[Things], Ask]] = {
    "GET /task/{task_id}/events": lambda things: Ask(f"/task/{things.task()}/events"),
    "GET /datasets/{name}/diff": lambda things: Ask(f"/datasets/{things.data_set()}/diff?old=1&new=1"),
    "GET /datasets/{name}/{number}/rows": lambda things: Ask(f"/datasets/{things.data_set()}/1/rows"),
    "GET /datasets/{name}/{number}/export": lambda things: Ask(f"/datasets/{things.data_set()}/1/export"),
}
"""Requests that reach the end of a route, where that of the matrix of permissions is refused or empty."""


@pytest.mark.parametrize("route", CASES)
def test_what_is_let_through_is_answered_as_it_is_declared(server: Server, route: str) -> None:
    server.tokens.clear()  # some of these requests end what others need
    ask = EXISTING.get(route, CASES[route].make)(server.things(Role.ADMIN))
    options = dict(ask.options)
    headers = {**server.headers(Role.ADMIN), **options.pop("headers", {})}
    method = route.partition(" ")[0]
    answer = server.session.request(method, server.address + ask.path, headers=headers, timeout=SECONDS, **options)
    assert answer.status_code == (200 if route in EXISTING else CASES[route].allowed), answer.text
    case = server.operation(route).Case(path_parameters=dict.fromkeys(re.findall(r"{(\w+)", route), "x"))
    case.validate_response(answer, CHECKS)
    check_answer(answer.status_code, answer.headers, answer.content.decode(errors="replace"))

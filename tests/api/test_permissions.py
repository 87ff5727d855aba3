"""Who may do what: every route declares one permission, and keeps to it for every role and relation to a thing.

What is let through is in the audit log, and so is what is refused.
"""

import itertools
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from fastapi.testclient import TestClient

from app.api.dependencies import CurrentUser, Public, Requires
from app.auth.permissions import Permission, holds
from app.data import catalogue
from app.db.repositories import datasets, shares
from app.domain.principal import EVERYONE, Role
from app.main import create_app
from app.services.platform import Platform, open_platform
from app.settings import Settings, get_settings
from tests.api.conftest import CHEAP, RecordingQueue
from tests.api.permission_cases import ACTIONS, CASES, CHANGES_NOTHING, NO_VERSION, Ask, Scope, Things
from tests.api.permission_stage import ANONYMOUS, Cell, Stage, cells

PUBLIC = {"POST /login", "POST /refresh", "POST /setup", "GET /health", "GET /ready"}
"""All that answers somebody who has not signed in, beside the pages of the documentation."""
DOCUMENTATION = {"/openapi.json", "/docs"}


# ---- every route declares its permission ----


def declared(route: RouteContext) -> list[Permission]:
    """The permissions a route and what includes it ask for."""

    def walk(dependant: Any) -> Iterator[Permission]:
        for dependency in dependant.dependencies:
            found = getattr(dependency.call, "permission", None)
            if isinstance(found, Permission):
                yield found
            yield from walk(dependency)

    return list(walk(route.dependant))


def walk_routes(app: FastAPI) -> tuple[dict[str, Permission], list[str]]:
    """The permission of every `METHOD /path`, and what is wrong with the others."""
    found: dict[str, Permission] = {}
    faults = []
    for route in iter_route_contexts(app.routes):
        if not isinstance(route.original_route, APIRoute):
            if route.path not in DOCUMENTATION:
                faults.append(f"{route.path}: is no route that could declare a permission")
            continue
        permissions = declared(route)
        for method in sorted(route.methods or ()):
            if len(permissions) == 1:
                found[f"{method} {route.path}"] = permissions[0]
            else:
                faults.append(f"{method} {route.path}: declares {len(permissions)} permissions")
    return found, faults


@pytest.fixture(scope="module")
def platform_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One installation for all routes: each makes accounts and things of its own."""
    settings = Settings(results_dir=tmp_path_factory.mktemp("permissions") / "results")
    platform = open_platform(settings, RecordingQueue(), passwords=CHEAP)
    yield platform
    platform.installation.database.engine.dispose()


@pytest.fixture(scope="module")
def app(platform_of_module: Platform) -> FastAPI:
    return create_app(platform_of_module)


def test_every_route_declares_exactly_one_permission(app: FastAPI) -> None:
    found, faults = walk_routes(app)
    assert faults == []
    assert len(found) > 50


def test_what_is_public_is_listed(app: FastAPI) -> None:
    found, _ = walk_routes(app)
    assert {route for route, permission in found.items() if permission is Permission.PUBLIC} == PUBLIC


def test_every_route_has_a_line_in_the_matrix(app: FastAPI) -> None:
    found, _ = walk_routes(app)
    assert set(CASES) == set(found)


def test_every_change_has_an_action_in_the_audit_log() -> None:
    changes = {route for route in CASES if not route.startswith("GET ")}
    assert changes - set(ACTIONS) == CHANGES_NOTHING


def test_every_permission_is_asked_for_somewhere(app: FastAPI) -> None:
    found, _ = walk_routes(app)
    assert set(found.values()) == set(Permission)


def test_a_route_that_declares_nothing_or_too_much_is_found() -> None:
    router = APIRouter(dependencies=[Depends(Requires(Permission.TRAIN))])
    inner, outer = APIRouter(), FastAPI(docs_url=None, redoc_url=None)

    @router.get("/good")
    def good() -> None: ...

    @router.get("/two", dependencies=[Depends(Public())])
    def two() -> None: ...

    @inner.get("/none")
    def none(_user: CurrentUser) -> None: ...

    @inner.get("/nested")
    def nested(_user: Annotated[Any, Depends(Requires(Permission.ACCOUNT))]) -> None: ...

    @outer.websocket("/socket")
    async def socket(_socket: WebSocket) -> None: ...

    outer.mount("/files", FastAPI(openapi_url=None))
    router.include_router(inner, prefix="/deep")
    outer.include_router(router)
    outer.include_router(inner, prefix="/bare")
    found, faults = walk_routes(outer)
    assert found == {
        "GET /good": Permission.TRAIN,
        "GET /deep/none": Permission.TRAIN,
        "GET /bare/nested": Permission.ACCOUNT,
    }
    assert sorted(faults) == [
        "/files: is no route that could declare a permission",
        "/socket: is no route that could declare a permission",
        "GET /bare/none: declares 0 permissions",
        "GET /deep/nested: declares 2 permissions",
        "GET /two: declares 2 permissions",
    ]


# ---- the matrix ----


def refusal(permission: Permission, cell: Cell, scope: Scope) -> int | None:
    """The status the policy refuses a request with; None where it lets it through."""
    if permission is Permission.PUBLIC:
        return None
    if cell.role is None:
        return 401
    if not holds(cell.role, permission):
        return 403
    if cell.relation == "owner" or (cell.role is Role.ADMIN and scope != "own"):
        return None
    if cell.relation == "shared":
        return None if scope == "read" else 403
    return 404


@pytest.fixture(autouse=True)
def _one_installation(
    isolated_installation: None, platform_of_module: Platform, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """What reads the environment finds the same installation."""
    monkeypatch.setenv("RESULTS_DIR", str(platform_of_module.settings.results_dir))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture(scope="module")
def version(platform_of_module: Platform, reviews_store: Path) -> str:
    """The content of `reviews@1`, which everybody may train on."""
    results = platform_of_module.settings.results_dir
    shutil.copytree(reviews_store, results, dirs_exist_ok=True)
    with platform_of_module.installation.database.write() as session:
        datasets.claim(session, "reviews", "nobody")
        shares.add(session, "dataset", "reviews", EVERYONE, "nobody")
    return catalogue.entries(results, "reviews")[0].version


_prefixes = (f"m{number}" for number in itertools.count(1))


@pytest.mark.parametrize("route", CASES)
def test_a_route_answers_each_role_and_relation_as_the_policy_says(
    platform_of_module: Platform, app: FastAPI, version: str, route: str
) -> None:
    permission, case = walk_routes(app)[0][route], CASES[route]
    stage = Stage(platform_of_module, app, version, next(_prefixes))
    num_denied = 0
    for cell in cells(case.scope):
        client, things = stage.client(cell), stage.things(cell)
        ask, refused = case.make(things), refusal(permission, cell, case.scope)
        before = stage.state() if refused else None
        answer = send(client, route, ask)
        assert answer.status_code == (refused or case.allowed), f"{cell}: {answer.status_code} {answer.text[:300]}"
        if refused is None:
            assert answer.status_code != 404 or f"@{NO_VERSION}" in answer.json()["detail"]
            actions = stage.actions_of(answer.headers["x-request-id"])
            assert ACTIONS[route] in actions if route in ACTIONS else not actions
            continue
        assert stage.state() == before, f"{cell}: what was denied has changed something"
        check_problem(answer, refused)
        if refused == 404:
            check_that_nothing_is_given_away(client, route, ask, things, answer)
        num_denied += refused == 403 or (refused == 404 and case.scope != "own")
    assert stage.num_denials() == num_denied


def send(client: TestClient, route: str, ask: Ask) -> httpx.Response:
    return client.request(route.partition(" ")[0], ask.path, **ask.options)


def check_problem(answer: httpx.Response, status: int) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert ("www-authenticate" in answer.headers) == (status == 401)


def check_that_nothing_is_given_away(
    client: TestClient, route: str, ask: Ask, things: Things, answer: httpx.Response
) -> None:
    """Somebody else's thing and one that is not there are told in the same words."""
    unknown = _unlike(things.made)
    options = {key: _replaced(value, things.made, unknown) for key, value in ask.options.items()}
    other = send(client, route, Ask(ask.path.replace(things.made, unknown), options))
    assert other.status_code == 404
    same = [body | {"request_id": ""} for body in (answer.json(), other.json())]
    assert _replaced(same[0], things.made, unknown) == same[1]


def _unlike(made: str) -> str:
    """What could be the name of such a thing and is not."""
    if made.isdecimal():
        return "999999"
    return {36: str(uuid.uuid4()), 32: uuid.uuid4().hex}.get(len(made), "nothing-like-it")


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, list):
        return [_replaced(item, old, new) for item in value]
    if isinstance(value, dict):
        return {key: _replaced(item, old, new) for key, item in value.items()}
    return value


def test_the_five_routes_of_the_promise(platform_of_module: Platform, app: FastAPI, version: str) -> None:
    """In plain numbers, so that a change of the policy table cannot move them."""
    stage = Stage(platform_of_module, app, version, next(_prefixes))
    promised = {
        "POST /login": (200, 200, 200, 200),
        "POST /train": (401, 403, 202, 202),
        "GET /task/{task_id}": (401, 404, 404, 200),
        "GET /experiments": (401, 403, 403, 200),
        "GET /audit/logs": (401, 403, 403, 200),
    }
    callers = [ANONYMOUS, *(Cell(role, "other") for role in (Role.VIEWER, Role.USER, Role.ADMIN))]
    for route, statuses in promised.items():
        found = tuple(
            send(stage.client(cell), route, CASES[route].make(stage.things(cell))).status_code for cell in callers
        )
        assert found == statuses, route
    owner = Cell(Role.USER, "owner")
    ask = CASES["GET /task/{task_id}"].make(stage.things(owner))
    assert send(stage.client(owner), "GET /task/{task_id}", ask).status_code == 200

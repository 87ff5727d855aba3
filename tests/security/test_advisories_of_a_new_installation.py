"""Weaknesses that an installation nobody has used yet could have: known passwords, open accounts, open doors.

The classes are those of MLflow's advisories, as in `test_advisories.py`.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.db.repositories import users
from app.main import create_app
from app.services.first_administrator import offer_code
from app.services.platform import Platform, open_platform
from app.settings import Settings
from tests.api.conftest import ADDRESS, CHEAP, PASSWORD, RecordingQueue


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Platform]:
    """An installation that nobody has used."""
    platform = open_platform(Settings(results_dir=tmp_path / "fresh"), RecordingQueue(), passwords=CHEAP)
    yield platform
    platform.installation.database.engine.dispose()


@pytest.fixture
def stranger(fresh: Platform) -> TestClient:
    """Somebody who has not signed in there."""
    return TestClient(create_app(fresh), base_url=ADDRESS, raise_server_exceptions=False)


# ---- passwords that everybody knows, and accounts that anybody makes ----


def test_a_new_installation_has_no_account_and_knows_no_password(fresh: Platform, stranger: TestClient) -> None:
    for name in ("admin", "administrator", "root", "user", "test", "mlflow"):
        for password in ("admin", "password", "password1234", "changeme", "root", "finetune", name, " "):
            answer = stranger.post("/login", json={"username": name, "password": password})
            assert answer.status_code == 401, (name, password)
    for credential in ("", "null", "undefined", "admin", "Bearer", "ft_", "ft_default_default", "."):
        assert stranger.get("/me", headers={"Authorization": f"Bearer {credential}"}).status_code == 401
    with fresh.installation.database.read() as session:
        assert not users.any_exists(session)


def test_two_installations_share_no_secret(tmp_path: Path) -> None:
    kept = []
    for name in ("one", "two"):
        platform = open_platform(Settings(results_dir=tmp_path / name), RecordingQueue(), passwords=CHEAP)
        kept.append({path.read_bytes() for path in (tmp_path / name / "secrets").rglob("*") if path.is_file()})
        platform.installation.database.engine.dispose()
    assert kept[0]
    assert not kept[0] & kept[1]


def test_nobody_makes_or_raises_an_account_but_an_administrator(fresh: Platform, stranger: TestClient) -> None:
    new = {"username": "eve", "password": PASSWORD, "role": "admin"}
    assert stranger.post("/users", json=new).status_code == 401
    code = offer_code(fresh)
    assert code
    raised = stranger.post("/setup", json={"code": code, "username": "eve", "password": PASSWORD, "is_admin": True})
    assert raised.status_code == 422, "what /setup does not know it does not take"
    first = {"code": code, "username": "ada", "password": PASSWORD}
    assert stranger.post("/setup", json=first).status_code == 201
    for again in (code, "", "0", code.upper()):
        assert stranger.post("/setup", json={**first, "username": "eve", "code": again}).status_code in (409, 422)
    admin = {"Authorization": f"Bearer {stranger.post('/login', json=login('ada')).json()['access_token']}"}
    for role in ("viewer", "user"):
        made = stranger.post("/users", json={**new, "username": role, "role": role}, headers=admin)
        assert made.status_code == 201, made.text
        own = {"Authorization": f"Bearer {stranger.post('/login', json=login(role)).json()['access_token']}"}
        assert stranger.post("/users", json=new, headers=own).status_code == 403
        assert stranger.patch(f"/users/{role}", json={"role": "admin"}, headers=own).status_code == 403
        sneaky = {"current_password": PASSWORD, "new_password": "seven lanterns on a quay", "role": "admin"}
        assert stranger.put("/me/password", json=sneaky, headers=own).status_code == 422
        assert stranger.get("/me", headers=own).json()["role"] == role
    assert [one["username"] for one in stranger.get("/users", headers=admin).json()["items"]] == [
        "ada",
        "user",
        "viewer",
    ]


def login(name: str) -> dict[str, str]:
    return {"username": name, "password": PASSWORD}


# ---- messages that run when they are read ----


def test_messages_of_the_queue_are_json_alone(fresh: Platform) -> None:
    from app.tasks.celery_app import make_celery

    conf = make_celery(fresh.settings).conf
    assert (conf.accept_content, conf.task_serializer, conf.result_accept_content) == (["json"], "json", None)


# ---- pages of other origins ----


def test_no_page_of_another_origin_reads_an_answer_unless_it_is_listed(fresh: Platform, stranger: TestClient) -> None:
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for origin in ("https://evil.example", "null", "http://localhost", ADDRESS):
        for answer in (
            stranger.get("/health", headers={"Origin": origin}),
            stranger.options("/train", headers={"Origin": origin, **asking}),
            stranger.post("/login", json=login("ada"), headers={"Origin": origin}),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control-")], (origin, answer.headers)
    settings = fresh.settings.model_copy(update={"cors_origins": ("https://ui.example",)})
    opened = TestClient(create_app(replace(fresh, settings=settings)), base_url=ADDRESS)
    listed = opened.options("/train", headers={"Origin": "https://ui.example", **asking})
    assert (listed.status_code, listed.headers["access-control-allow-origin"]) == (200, "https://ui.example")
    assert "access-control-allow-credentials" not in listed.headers
    near = (
        "https://evil.example",
        "null",
        "http://ui.example",
        "https://ui.example.evil.example",
        "https://UI.example:1",
    )
    for origin in near:
        for answer in (
            opened.get("/health", headers={"Origin": origin}),
            opened.options("/train", headers={"Origin": origin, **asking}),
        ):
            assert "access-control-allow-origin" not in answer.headers, origin

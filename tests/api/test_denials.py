"""Whoever is refused is on record: without a valid credential, without the role, at somebody else's things."""

from collections.abc import Callable
from typing import Any

from fastapi.testclient import TestClient

from app.domain.audit import AuditFilter
from app.domain.principal import Caller
from app.services import audit_log
from app.services.denial_flood import ONE_BY_ONE_PER_CALLER
from app.services.platform import Platform

SignIn = Callable[..., TestClient]


def denials(platform: Platform) -> list[Any]:
    """What was denied, newest first."""
    wanted = AuditFilter(action="access.denied", outcome="denied")
    return audit_log.read_page(platform.audit, Caller(local_user="tests"), wanted, 100, None).items


def test_a_credential_that_is_not_valid(platform: Platform, client: TestClient) -> None:
    answer = client.get("/me", headers={"Authorization": "Bearer not.a.token"})
    assert answer.status_code == 401
    (event,) = denials(platform)
    assert (event.actor, event.ip, event.resource) == ("anonymous", "testclient", "route:GET /me")
    assert event.request_id == answer.headers["x-request-id"]
    assert event.details["code"] == answer.json()["code"]
    assert "not.a.token" not in str(event)


def test_no_credential_at_all(platform: Platform, client: TestClient) -> None:
    assert client.get("/me").status_code == 401
    (event,) = denials(platform)
    assert (event.actor, event.resource) == ("anonymous", "route:GET /me")
    assert event.details["code"] == "auth.required"


def test_an_attempt_to_sign_in_is_recorded_as_that_alone(platform: Platform, client: TestClient) -> None:
    assert client.post("/login", json={"username": "ada", "password": "wrong"}).status_code == 401
    assert client.post("/refresh", json={"refresh_token": "x"}, headers={"Authorization": "x"}).status_code == 401
    assert denials(platform) == []


def test_a_role_that_may_not(platform: Platform, sign_in: SignIn) -> None:
    assert sign_in("viewer").get("/audit/logs").status_code == 403
    (event,) = denials(platform)
    assert (event.actor, event.resource) == ("viewer", "route:GET /audit/logs")
    assert event.details == {"method": "GET", "path": "/audit/logs", "code": "auth.forbidden"}


def test_a_flood_is_recorded_as_one(platform: Platform, client: TestClient) -> None:
    for _ in range(ONE_BY_ONE_PER_CALLER + 20):
        assert client.get("/me", headers={"Authorization": "Bearer x"}).status_code == 401
    assert len(denials(platform)) == ONE_BY_ONE_PER_CALLER
    platform.audit.record_counted_denials()
    assert denials(platform)[0].details == {"repeated": 20, "resources": ["route:GET /me"]}


def test_the_end_of_the_server_records_what_was_counted(platform: Platform, client: TestClient) -> None:
    with client:
        for _ in range(ONE_BY_ONE_PER_CALLER + 3):
            client.get("/me", headers={"Authorization": "Bearer x"})
    assert denials(platform)[0].details["repeated"] == 3

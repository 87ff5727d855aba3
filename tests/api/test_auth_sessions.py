"""Staying signed in: refresh tokens rotate and tell when they were stolen; sign-ins are listed and ended."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db.repositories import login_sessions
from app.db.tables import AuditEventRow, LoginSessionRow
from app.domain.principal import Caller
from app.schemas.users import UpdateUser
from app.services import accounts
from app.services.denial_flood import ONE_BY_ONE_PER_CALLER
from app.services.platform import Platform

SignIn = Callable[..., Any]
LOCAL = Caller(local_user="tests")


@pytest.fixture
def database_address(database_url: str) -> str:
    return database_url


def refresh(client: TestClient, refresh_token: str) -> Any:
    return client.post("/refresh", json={"refresh_token": refresh_token})


def is_valid(client: TestClient, tokens: dict[str, Any]) -> bool:
    return client.get("/me", headers={"Authorization": f"Bearer {tokens['access_token']}"}).status_code == 200


def recorded(platform: Platform) -> list[tuple[str, str, str]]:
    with platform.installation.database.read() as session:
        rows = session.query(AuditEventRow).order_by(AuditEventRow.id)
        return [(row.actor, row.action, row.outcome) for row in rows]


def test_a_refresh_token_gives_new_tokens_and_the_old_access_token_lives_on(
    client: TestClient, sign_in: SignIn, platform: Platform
) -> None:
    first = sign_in("user").tokens
    answer = refresh(client, first["refresh_token"])
    assert answer.status_code == 200
    second = answer.json()
    assert set(second) == set(first)
    assert second["refresh_token"] != first["refresh_token"]
    assert is_valid(client, first)
    assert is_valid(client, second)
    assert refresh(client, second["refresh_token"]).status_code == 200
    assert recorded(platform)[-2:] == [("user", "session.refresh", "success")] * 2


def test_a_refresh_token_that_is_used_twice_ends_the_sign_in(
    client: TestClient, sign_in: SignIn, platform: Platform
) -> None:
    other = sign_in("user").tokens
    first = sign_in("user").tokens
    second = refresh(client, first["refresh_token"]).json()
    answer = refresh(client, first["refresh_token"])
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "auth.refresh_invalid"
    assert refresh(client, second["refresh_token"]).status_code == 401, "the thief may hold the newest one"
    assert not is_valid(client, second)
    assert is_valid(client, other), "another sign-in of the account is another family"
    assert ("anonymous", "session.refresh_reused", "denied") in recorded(platform)


def test_of_many_who_use_one_refresh_token_at_once_at_most_one_gets_tokens(client: TestClient, sign_in: SignIn) -> None:
    token = sign_in("user").tokens["refresh_token"]
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(refresh(client, token))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(answer.status_code for answer in answers) == [200, *[401] * 5]
    [winner] = [answer.json() for answer in answers if answer.status_code == 200]
    assert not is_valid(client, winner), "the token was used twice, whoever was first"


def test_a_refresh_token_that_never_was_is_refused(client: TestClient) -> None:
    for token in ["x", "a.b", f"{'0' * 32}.{'x' * 43}", f"{'0' * 32}.", "\0", "x" * 2000, "' OR 1=1 --"]:
        answer = refresh(client, token)
        assert (answer.status_code, answer.json()["code"]) == (401, "auth.refresh_invalid"), token


def test_a_body_that_is_no_refresh_is_refused_with_the_place(client: TestClient) -> None:
    for body, pointer in [
        ({}, "/refresh_token"),
        ({"refresh_token": ""}, "/refresh_token"),
        ({"refresh_token": 5}, "/refresh_token"),
        ({"refresh_token": "a", "more": 1}, "/more"),
    ]:
        answer = client.post("/refresh", json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer


def test_guessing_refresh_tokens_is_limited(client: TestClient, sign_in: SignIn) -> None:
    valid = sign_in("user").tokens["refresh_token"]
    statuses = [refresh(client, "guess").status_code for _ in range(52)]
    assert statuses == [401] * 50 + [429] * 2
    assert refresh(client, valid).status_code == 429


def test_a_flood_of_tokens_of_a_sign_in_that_is_over_is_limited_and_counted(
    client: TestClient, sign_in: SignIn, platform: Platform
) -> None:
    user = sign_in("user")
    user.post("/logout")
    before = len(recorded(platform))
    statuses = [refresh(client, user.tokens["refresh_token"]).status_code for _ in range(52)]
    assert statuses == [401] * 50 + [429] * 2
    assert recorded(platform)[before:] == [("anonymous", "session.refresh", "denied")] * ONE_BY_ONE_PER_CALLER
    platform.audit.record_counted_denials()
    assert len(recorded(platform)) == before + ONE_BY_ONE_PER_CALLER + 1


def test_a_refresh_token_of_a_disabled_account_is_refused(
    client: TestClient, sign_in: SignIn, platform: Platform
) -> None:
    tokens = sign_in("user").tokens
    accounts.update_user(platform, LOCAL, "user", UpdateUser(disabled=True))
    assert refresh(client, tokens["refresh_token"]).status_code == 401


def test_a_sign_in_ends_after_thirty_days_however_often_it_is_renewed(
    client: TestClient, sign_in: SignIn, platform: Platform
) -> None:
    tokens = sign_in("user").tokens
    renewed = refresh(client, tokens["refresh_token"]).json()
    with platform.installation.database.write() as session:
        row = session.query(LoginSessionRow).one()
        assert row.expires_at - row.created_at == timedelta(days=30)
        assert row.rotations == 1
        row.expires_at = datetime.now(UTC) - timedelta(seconds=1)
    assert refresh(client, renewed["refresh_token"]).status_code == 401


def test_refresh_tokens_are_stored_as_hashes(sign_in: SignIn, platform: Platform) -> None:
    token = sign_in("user").tokens["refresh_token"]
    with platform.installation.database.read() as session:
        stored = session.query(LoginSessionRow).one().refresh_hash
    assert stored not in token
    assert token.partition(".")[2] not in stored


def test_signing_out_ends_this_sign_in_alone(client: TestClient, sign_in: SignIn, platform: Platform) -> None:
    here, there = sign_in("user"), sign_in("user")
    assert here.post("/logout").status_code == 204
    assert not is_valid(client, here.tokens)
    assert refresh(client, here.tokens["refresh_token"]).status_code == 401
    assert is_valid(client, there.tokens)
    assert ("user", "session.logout", "success") in recorded(platform)


def test_signing_out_everywhere_ends_all_sign_ins_of_the_account(client: TestClient, sign_in: SignIn) -> None:
    here, there, other = sign_in("user"), sign_in("user"), sign_in("viewer")
    assert here.post("/logout", params={"everywhere": True}).status_code == 204
    assert [is_valid(client, one.tokens) for one in (here, there, other)] == [False, False, True]


def test_sign_ins_are_listed_with_the_own_one_marked(sign_in: SignIn) -> None:
    sign_in("viewer")
    sign_in("user")
    here = sign_in("user")
    page = here.get("/me/sessions").json()
    assert (page["total"], page["next"]) == (2, None)
    assert [one["current"] for one in page["items"]] == [True, False]
    assert page["items"][0]["ip"] == "testclient"


def test_a_sign_in_is_ended_from_another_one(client: TestClient, sign_in: SignIn) -> None:
    lost, here = sign_in("user"), sign_in("user")
    [lost_id] = [one["id"] for one in here.get("/me/sessions").json()["items"] if not one["current"]]
    assert here.delete(f"/me/sessions/{lost_id}").status_code == 204
    assert not is_valid(client, lost.tokens)
    assert here.delete(f"/me/sessions/{lost_id}").status_code == 404
    assert here.get("/me/sessions").json()["total"] == 1


def test_nobody_ends_a_sign_in_of_another_account(client: TestClient, sign_in: SignIn) -> None:
    victim, attacker = sign_in("user"), sign_in("admin")
    [session_id] = [one["id"] for one in victim.get("/me/sessions").json()["items"]]
    assert attacker.delete(f"/me/sessions/{session_id}").status_code == 404
    assert is_valid(client, victim.tokens)


def test_an_id_that_can_be_no_sign_in_is_refused(sign_in: SignIn) -> None:
    account = sign_in("user")
    for session_id in ["x", "0" * 31, "%00", "' OR 1=1"]:
        assert account.delete(f"/me/sessions/{session_id}").status_code == 422


def test_sign_ins_that_ended_long_ago_are_forgotten(sign_in: SignIn, platform: Platform) -> None:
    ended, expired, valid = sign_in("user"), sign_in("user"), sign_in("user")
    ended.post("/logout")
    long_ago = datetime.now(UTC) - timedelta(days=8)
    with platform.installation.database.write() as session:
        ids = [one.tokens["refresh_token"].partition(".")[0] for one in (ended, expired)]
        session.get_one(LoginSessionRow, ids[0]).revoked_at = long_ago
        session.get_one(LoginSessionRow, ids[1]).expires_at = long_ago
    with platform.installation.database.write() as session:
        assert login_sessions.forget_ended(session, datetime.now(UTC) - timedelta(days=7)) == 2
    assert valid.get("/me").status_code == 200

"""API keys: made and shown once, valid until revoked, and without a say over the account they belong to."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db.tables import ApiKeyRow, AuditEventRow, IdempotencyRow
from app.domain.principal import Caller
from app.schemas.users import UpdateUser
from app.services import accounts
from app.services.platform import Platform

SignIn = Callable[..., Any]
LOCAL = Caller(local_user="tests")


@pytest.fixture
def database_address(database_url: str) -> str:
    return database_url


@pytest.fixture
def made(sign_in: SignIn) -> dict[str, Any]:
    """A key of the account `user`."""
    answer = sign_in("user").post("/me/api-keys", json={"name": "nightly training"})
    assert answer.status_code == 201
    return answer.json()


def ask(client: TestClient, key: str, method: str = "GET", path: str = "/me", **sent: Any) -> Any:
    return client.request(method, path, headers={"Authorization": f"Bearer {key}".encode()}, **sent)


def refused(client: TestClient, key: str) -> bool:
    answer = ask(client, key)
    assert answer.status_code in (200, 401)
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["code"] == "auth.key_invalid"
    return answer.status_code == 401


def test_a_key_signs_in_as_its_account(client: TestClient, made: dict[str, Any]) -> None:
    assert made["key"].startswith(made["prefix"] + "_")
    assert ask(client, made["key"]).json()["username"] == "user"


def test_a_key_is_shown_once_and_stored_as_a_hash(sign_in: SignIn, made: dict[str, Any], platform: Platform) -> None:
    listed = sign_in("user").get("/me/api-keys")
    assert [one["name"] for one in listed.json()["items"]] == ["nightly training"]
    assert "key" not in listed.json()["items"][0]
    secret = made["key"].rpartition("_")[2][:20]
    assert secret not in listed.text
    with platform.installation.database.read() as session:
        assert secret not in str(vars(session.query(ApiKeyRow).one()))
        assert secret not in str([(row.resource, row.details) for row in session.query(AuditEventRow)])


def test_a_key_lives_a_year_unless_told_otherwise(sign_in: SignIn, made: dict[str, Any]) -> None:
    account = sign_in("user")
    ends = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert ends == timedelta(days=365)
    forever = account.post("/me/api-keys", json={"name": "forever", "expires_in_days": None}).json()
    assert forever["expires_at"] is None


def test_an_expired_key_is_refused_and_leaves_its_name(
    client: TestClient, sign_in: SignIn, made: dict[str, Any], platform: Platform
) -> None:
    with platform.installation.database.write() as session:
        session.query(ApiKeyRow).update({"expires_at": datetime.now(UTC) - timedelta(seconds=1)})
    assert refused(client, made["key"])
    assert sign_in("user").post("/me/api-keys", json={"name": made["name"]}).status_code == 201


def test_a_revoked_key_is_refused_at_once_and_leaves_its_name(
    client: TestClient, sign_in: SignIn, made: dict[str, Any]
) -> None:
    account = sign_in("user")
    assert account.delete(f"/me/api-keys/{made['id']}").status_code == 204
    assert refused(client, made["key"])
    assert account.get("/me/api-keys").json()["items"] == []
    assert account.delete(f"/me/api-keys/{made['id']}").status_code == 404
    again = account.post("/me/api-keys", json={"name": made["name"]}).json()
    assert not refused(client, again["key"])
    assert refused(client, made["key"])


def test_a_key_that_is_almost_right_or_never_was_is_refused(client: TestClient, made: dict[str, Any]) -> None:
    key, last = made["key"], made["key"][-1]
    almost = [key[:-1], key[:-1] + ("a" if last != "a" else "b"), key + "x", key[:-1] + "é"]
    for wrong in [*almost, "ft_", f"ft_{'0' * 12}_{'x' * 43}", f"{made['prefix']}_{'x' * 43}", made["prefix"]]:
        assert refused(client, wrong)


def test_a_key_of_a_disabled_account_is_refused_until_it_is_enabled(
    client: TestClient, made: dict[str, Any], platform: Platform
) -> None:
    accounts.update_user(platform, LOCAL, "user", UpdateUser(disabled=True))
    assert refused(client, made["key"])
    accounts.update_user(platform, LOCAL, "user", UpdateUser(disabled=False))
    assert not refused(client, made["key"])


def test_a_key_has_no_say_over_the_account_it_belongs_to(client: TestClient, made: dict[str, Any]) -> None:
    passwords = {"current_password": "a quiet river at dusk", "new_password": "seven lanterns on the quay"}
    for method, path, sent in [
        ("POST", "/me/api-keys", {"json": {"name": "another"}}),
        ("DELETE", f"/me/api-keys/{made['id']}", {}),
        ("PUT", "/me/password", {"json": passwords}),
        ("DELETE", f"/me/sessions/{'0' * 32}", {}),
        ("POST", "/logout", {}),
    ]:
        answer = ask(client, made["key"], method, path, **sent)
        assert (answer.status_code, answer.json()["code"]) == (403, "auth.sign_in_needed"), path


def test_a_key_has_the_role_of_its_account_as_it_is_now(
    client: TestClient, made: dict[str, Any], platform: Platform
) -> None:
    assert ask(client, made["key"], path="/users").status_code == 403
    accounts.update_user(platform, LOCAL, "user", UpdateUser.model_validate({"role": "admin"}))
    assert ask(client, made["key"], path="/users").status_code == 200


def test_use_of_a_key_is_noted_now_and_then(client: TestClient, made: dict[str, Any], platform: Platform) -> None:
    def noted() -> datetime | None:
        with platform.installation.database.read() as session:
            return session.query(ApiKeyRow).one().last_used_at

    assert noted() is None
    ask(client, made["key"])
    first = noted()
    assert first is not None
    ask(client, made["key"])
    assert noted() == first, "not every request is worth a write"


def test_two_keys_of_an_account_have_two_names(sign_in: SignIn, made: dict[str, Any]) -> None:
    answer = sign_in("user").post("/me/api-keys", json={"name": made["name"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "api_key.exists")
    assert sign_in("admin").post("/me/api-keys", json={"name": made["name"]}).status_code == 201


def test_nobody_revokes_a_key_of_another_account(client: TestClient, sign_in: SignIn, made: dict[str, Any]) -> None:
    assert sign_in("admin").delete(f"/me/api-keys/{made['id']}").status_code == 404
    assert not refused(client, made["key"])


def test_a_repeated_request_makes_one_key_and_is_not_told_it_again(sign_in: SignIn, platform: Platform) -> None:
    account = sign_in("user")
    sent = {"json": {"name": "from a script"}, "headers": {"Idempotency-Key": "abc"}}
    first, again = account.post("/me/api-keys", **sent), account.post("/me/api-keys", **sent)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json() | {"key": None}
    with platform.installation.database.read() as session:
        assert session.query(ApiKeyRow).count() == 1
        assert first.json()["key"] not in str(session.query(IdempotencyRow).one().body)


def test_an_account_has_only_so_many_keys(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.api_keys.MAX_KEYS", 2)
    account = sign_in("user")
    statuses = [account.post("/me/api-keys", json={"name": f"key {n}"}).status_code for n in range(3)]
    assert statuses == [201, 201, 409]


def test_a_key_that_cannot_be_is_refused_with_the_place(sign_in: SignIn) -> None:
    account = sign_in("user")
    for body, pointer in [
        ({}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": "a\nb"}, "/name"),
        ({"name": "a\0b"}, "/name"),
        ({"name": "x", "expires_in_days": 0}, "/expires_in_days"),
        ({"name": "x", "expires_in_days": 99999}, "/expires_in_days"),
        ({"name": "x", "role": "admin"}, "/role"),
    ]:
        answer = account.post("/me/api-keys", json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer


def test_an_id_that_can_be_no_key_is_refused(sign_in: SignIn) -> None:
    account = sign_in("user")
    for key_id in ["0", "-1", "99999999999999999999", "x", "1.5"]:
        assert account.delete(f"/me/api-keys/{key_id}").status_code == 422

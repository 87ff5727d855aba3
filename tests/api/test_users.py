"""Accounts over HTTP: administrators make, list and change them; everybody has a say over the own password alone."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db.tables import AuditEventRow, IdempotencyRow, UserRow
from app.services.platform import Platform

SignIn = Callable[..., Any]
PASSWORD, OTHER = "a quiet river at dusk", "seven lanterns on the quay"


@pytest.fixture
def database_address(database_url: str) -> str:
    return database_url


def recorded(platform: Platform, resource: str) -> list[tuple[str, str, Any]]:
    """Actor, action and details of the events about one thing that was made or changed."""
    with platform.installation.database.read() as session:
        rows = session.query(AuditEventRow).filter_by(resource=resource, outcome="success").order_by(AuditEventRow.id)
        return [(row.actor, row.action, row.details) for row in rows if not row.action.startswith("session.")]


def login(client: TestClient, username: str, password: str = PASSWORD) -> int:
    return client.post("/login", json={"username": username, "password": password}).status_code


def test_an_administrator_adds_an_account_that_can_sign_in(
    client: TestClient, sign_in: SignIn, platform: Platform
) -> None:
    answer = sign_in("admin").post("/users", json={"username": "ada", "password": PASSWORD, "role": "viewer"})
    assert answer.status_code == 201
    body = answer.json()
    assert (body["username"], body["role"], body["disabled"], body["last_login_at"]) == ("ada", "viewer", False, None)
    assert body["limits"] == {"max_running": None, "max_queued": None, "max_stored_bytes": None}
    assert login(client, "ada") == 200
    assert recorded(platform, "user:ada") == [("admin", "user.create", {"role": "viewer"})]


def test_no_password_is_answered_stored_or_recorded(client: TestClient, sign_in: SignIn, platform: Platform) -> None:
    sent = {"username": "ada", "password": PASSWORD}
    answer = sign_in("admin").post("/users", json=sent, headers={"Idempotency-Key": "once"})
    assert "hash" not in answer.text
    assert PASSWORD not in answer.text
    with platform.installation.database.read() as session:
        rows = [*session.query(UserRow), *session.query(AuditEventRow), *session.query(IdempotencyRow)]
        assert PASSWORD not in "".join(str(vars(row)) for row in rows)


def test_a_repeated_request_makes_one_account(sign_in: SignIn) -> None:
    admin = sign_in("admin")
    sent = {"json": {"username": "ada", "password": PASSWORD}, "headers": {"Idempotency-Key": "once"}}
    first, again = admin.post("/users", **sent), admin.post("/users", **sent)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    sent["json"] = {"username": "ada", "password": OTHER}
    assert admin.post("/users", **sent).json()["code"] == "idempotency.mismatch"


def test_a_name_is_given_once(sign_in: SignIn) -> None:
    answer = sign_in("admin").post("/users", json={"username": "admin", "password": OTHER})
    assert (answer.status_code, answer.json()["code"]) == (409, "user.exists")


def test_an_account_that_cannot_be_is_refused_with_the_place(sign_in: SignIn) -> None:
    admin = sign_in("admin")
    names = ["", "A", "-a", "a-", ".a", "a b", "ä", "a/b", "../a", "a\0", "a\n", "x" * 65, "*", "ａ"]
    bodies = [({"username": name, "password": PASSWORD}, "/username") for name in names]
    bodies += [
        ({"username": "ada"}, "/password"),
        ({"username": "ada", "password": PASSWORD, "role": "root"}, "/role"),
        ({"username": "ada", "password": PASSWORD, "disabled": True}, "/disabled"),
        ({"username": "ada", "password": "x" * 1025}, "/password"),
    ]
    for body, pointer in bodies:
        answer = admin.post("/users", json=body)
        assert answer.status_code == 422, body
        assert pointer in [place["pointer"] for place in answer.json()["errors"]]
    for password in ["short", "ada", "password123", "zzzzzzzzzzzz"]:
        answer = admin.post("/users", json={"username": "ada", "password": password})
        assert (answer.status_code, answer.json()["code"]) == (422, "password.weak")
    assert admin.get("/users").json()["total"] == 1


def test_accounts_are_listed_by_name_a_page_at_a_time(sign_in: SignIn) -> None:
    admin = sign_in("admin")
    for name in ["eve", "bob", "dora", "carl"]:
        admin.post("/users", json={"username": name, "password": PASSWORD})
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = admin.get("/users", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        assert page["total"] == 5
        seen += [one["username"] for one in page["items"]]
        cursor, pages = page["next"], pages + 1
    assert (seen, pages) == (["admin", "bob", "carl", "dora", "eve"], 3)


def test_a_list_is_filtered_by_role_and_state(sign_in: SignIn) -> None:
    admin = sign_in("admin")
    sign_in("viewer")
    admin.post("/users", json={"username": "bob", "password": PASSWORD})
    admin.patch("/users/bob", json={"disabled": True})

    def names(**wanted: Any) -> list[str]:
        return [one["username"] for one in admin.get("/users", params=wanted).json()["items"]]

    assert names(role="viewer") == ["viewer"]
    assert names(disabled=True) == ["bob"]
    assert names(disabled=False) == ["admin", "viewer"]
    assert names(role="admin", disabled=True) == []


def test_a_cursor_that_is_damaged_or_of_another_list_is_refused(sign_in: SignIn) -> None:
    admin = sign_in("admin")
    sign_in("user")
    cursor = admin.get("/users", params={"limit": 1}).json()["next"]
    for params in [{"cursor": "x"}, {"cursor": cursor[:-3]}, {"cursor": cursor, "role": "user"}]:
        answer = admin.get("/users", params=params)
        assert (answer.status_code, answer.json()["code"]) == (422, "page.invalid")
    assert admin.get("/users", params={"limit": 0}).status_code == 422


def test_one_account_is_shown_and_an_unknown_one_is_not_found(sign_in: SignIn) -> None:
    admin = sign_in("admin")
    assert admin.get("/users/admin").json()["role"] == "admin"
    for name in ["nobody", "%00", "x" * 300, "ADMIN", "' OR 1=1", "%F0%9F%99%82"]:
        for answer in (
            admin.get(f"/users/{name}"),
            admin.patch(f"/users/{name}", json={"role": "user"}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), name
    assert admin.put("/users/nobody/password", json={"password": OTHER}).status_code == 404


def test_a_disabled_account_is_signed_out_and_stays_out(
    client: TestClient, sign_in: SignIn, platform: Platform
) -> None:
    admin, user = sign_in("admin"), sign_in("user")
    assert admin.patch("/users/user", json={"disabled": True}).json()["disabled"] is True
    assert user.get("/me").status_code == 401
    assert login(client, "user") == 401
    assert admin.patch("/users/user", json={"disabled": False}).json()["disabled"] is False
    assert login(client, "user") == 200
    assert [action for _, action, _ in recorded(platform, "user:user")][1:] == ["user.disable", "user.enable"]


def test_role_and_limits_are_changed_one_by_one(sign_in: SignIn, platform: Platform) -> None:
    admin, user = sign_in("admin"), sign_in("user")
    admin.patch("/users/user", json={"limits": {"max_running": 7, "max_queued": 9}})
    changed = admin.patch("/users/user", json={"role": "viewer", "limits": {"max_running": None}}).json()
    assert changed["role"] == "viewer"
    assert changed["limits"] == {"max_running": None, "max_queued": 9, "max_stored_bytes": None}
    mine = user.get("/me").json()
    assert mine["role"] == "viewer"
    assert mine["limits"] == {
        "max_running": platform.settings.max_running,
        "max_queued": 9,
        "max_stored_bytes": platform.settings.max_stored_bytes,
    }
    assert recorded(platform, "user:user")[1:] == [
        ("admin", "user.set_limits", {"max_running": 7, "max_queued": 9}),
        ("admin", "user.set_role", {"role": "viewer"}),
        ("admin", "user.set_limits", {"max_running": None}),
    ]


def test_what_changes_nothing_is_no_event(sign_in: SignIn, platform: Platform) -> None:
    admin = sign_in("admin")
    before = recorded(platform, "user:admin")
    for body in [{}, {"role": "admin"}, {"disabled": False}, {"limits": {}}, {"limits": {"max_running": None}}]:
        assert admin.patch("/users/admin", json=body).status_code == 200
    assert recorded(platform, "user:admin") == before


def test_a_change_that_cannot_be_is_refused_with_the_place(sign_in: SignIn) -> None:
    admin = sign_in("admin")
    for body, pointer in [
        ({"role": "root"}, "/role"),
        ({"username": "eve"}, "/username"),
        ({"limits": {"max_running": -1}}, "/limits/max_running"),
        ({"limits": {"max_stored_bytes": 2**70}}, "/limits/max_stored_bytes"),
        ({"limits": {"max_gpus": 1}}, "/limits/max_gpus"),
        ({"disabled": "perhaps"}, "/disabled"),
    ]:
        answer = admin.patch("/users/admin", json=body)
        assert answer.status_code == 422
        assert pointer in [place["pointer"] for place in answer.json()["errors"]]


def test_the_last_administrator_stays_one(sign_in: SignIn) -> None:
    admin = sign_in("admin")
    for body in [{"disabled": True}, {"role": "user"}, {"role": "viewer", "disabled": True}]:
        answer = admin.patch("/users/admin", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "user.last_administrator")
    sign_in("admin", "second")
    assert admin.patch("/users/second", json={"disabled": True}).status_code == 200
    assert admin.patch("/users/admin", json={"role": "user"}).status_code == 409, "a disabled one does not count"
    assert admin.patch("/users/second", json={"disabled": False}).status_code == 200
    assert admin.patch("/users/admin", json={"role": "user"}).status_code == 200
    assert admin.get("/users").status_code == 403


def test_a_reset_password_ends_sign_ins_and_keys(client: TestClient, sign_in: SignIn, platform: Platform) -> None:
    admin, user = sign_in("admin"), sign_in("user")
    key = user.post("/me/api-keys", json={"name": "mine"}).json()["key"]
    assert admin.put("/users/user/password", json={"password": OTHER}).status_code == 204
    assert user.get("/me").status_code == 401
    assert client.get("/me", headers={"Authorization": f"Bearer {key}"}).status_code == 401
    assert (login(client, "user"), login(client, "user", OTHER)) == (401, 200)
    ended = {"sign_ins_ended": 1, "api_keys_ended": 1}
    assert recorded(platform, "user:user")[-1] == ("admin", "password.reset", ended)


def test_a_reset_password_leaves_keys_when_told_so_and_has_to_be_good(client: TestClient, sign_in: SignIn) -> None:
    admin, user = sign_in("admin"), sign_in("user")
    key = user.post("/me/api-keys", json={"name": "mine"}).json()["key"]
    assert admin.put("/users/user/password", json={"password": "user"}).status_code == 422
    kept = {"password": OTHER, "revoke_api_keys": False}
    assert admin.put("/users/user/password", json=kept).status_code == 204
    assert client.get("/me", headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_a_changed_password_ends_all_other_sign_ins(client: TestClient, sign_in: SignIn, platform: Platform) -> None:
    there, here = sign_in("user"), sign_in("user")
    answer = here.put("/me/password", json={"current_password": PASSWORD, "new_password": OTHER})
    assert answer.status_code == 204
    assert (here.get("/me").status_code, there.get("/me").status_code) == (200, 401)
    assert client.post("/refresh", json={"refresh_token": there.tokens["refresh_token"]}).status_code == 401
    assert client.post("/refresh", json={"refresh_token": here.tokens["refresh_token"]}).status_code == 200
    assert (login(client, "user"), login(client, "user", OTHER)) == (401, 200)
    ended = {"sign_ins_ended": 1, "api_keys_ended": 0}
    assert recorded(platform, "user:user")[-1] == ("user", "password.change", ended)


def test_a_changed_password_ends_keys_when_told_so(client: TestClient, sign_in: SignIn, platform: Platform) -> None:
    user = sign_in("user")
    key = {"Authorization": f"Bearer {user.post('/me/api-keys', json={'name': 'mine'}).json()['key']}"}
    body = {"current_password": PASSWORD, "new_password": OTHER}
    assert user.put("/me/password", json=body).status_code == 204
    assert client.get("/me", headers=key).status_code == 200
    body = {"current_password": OTHER, "new_password": PASSWORD, "revoke_api_keys": True}
    assert user.put("/me/password", json=body).status_code == 204
    assert client.get("/me", headers=key).status_code == 401
    ended = {"sign_ins_ended": 0, "api_keys_ended": 1}
    assert recorded(platform, "user:user")[-1] == ("user", "password.change", ended)


def test_a_password_is_changed_only_by_who_knows_it_and_guessing_is_limited(
    client: TestClient, sign_in: SignIn
) -> None:
    user = sign_in("user")
    wrong = {"current_password": "a guess", "new_password": OTHER}
    answer = user.put("/me/password", json=wrong)
    assert (answer.status_code, answer.json()["code"]) == (403, "auth.wrong_password")
    assert [user.put("/me/password", json=wrong).status_code for _ in range(11)] == [403] * 9 + [429] * 2
    assert login(client, "user") == 429


def test_a_new_password_has_to_be_new_and_good(sign_in: SignIn) -> None:
    user = sign_in("user")
    for new, code in [(PASSWORD, "password.unchanged"), ("user", "password.weak"), ("qwertyuiop", "password.weak")]:
        answer = user.put("/me/password", json={"current_password": PASSWORD, "new_password": new})
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert user.put("/me/password", json={"current_password": PASSWORD}).status_code == 422


@pytest.mark.parametrize("role", ["user", "viewer"])
def test_accounts_are_administrators_business(sign_in: SignIn, role: str) -> None:
    sign_in("admin")
    account = sign_in(role)
    for method, path, body in [
        ("GET", "/users", None),
        ("POST", "/users", {"username": "eve", "password": PASSWORD, "role": "admin"}),
        ("GET", "/users/admin", None),
        ("GET", f"/users/{role}", None),
        ("PATCH", f"/users/{role}", {"role": "admin"}),
        ("PUT", "/users/admin/password", {"password": OTHER}),
    ]:
        answer = account.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "auth.forbidden"), path


def test_what_each_role_may_do_is_told_to_whoever_asks(sign_in: SignIn) -> None:
    viewer, admin = sign_in("viewer").get("/me").json(), sign_in("admin").get("/me").json()
    assert "train" not in viewer["permissions"]
    assert {"train", "users:manage", "audit:read"} <= set(admin["permissions"])
    assert viewer["last_login_at"] is not None

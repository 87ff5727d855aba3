"""POST /login: the promised answer, one refusal for every reason, limits, and a line in the audit log for each."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.auth.passwords import Passwords
from app.db.tables import AuditEventRow, LoginSessionRow, UserRow
from app.domain.principal import Caller, Role
from app.main import create_app
from app.schemas.users import UpdateUser
from app.services import accounts, login_limits
from app.services.platform import Platform, open_platform
from app.settings import get_settings

PASSWORD = "a quiet river at dusk"
ADA = {"username": "ada", "password": PASSWORD}
LOCAL = Caller(local_user="tests")


@pytest.fixture
def ada(platform: Platform) -> str:
    """The name of an account whose password is PASSWORD."""
    return accounts.create_user(platform, LOCAL, "ada", PASSWORD, Role.USER).username


def recorded(platform: Platform, action: str) -> list[tuple[str, str, str, Any]]:
    """Actor, resource, outcome and details of the events of one kind."""
    with platform.installation.database.read() as session:
        rows = session.query(AuditEventRow).filter_by(action=action).order_by(AuditEventRow.id)
        return [(row.actor, row.resource, row.outcome, row.details) for row in rows]


@pytest.mark.usefixtures("ada")
def test_a_name_and_its_password_give_tokens(client: TestClient) -> None:
    answer = client.post("/login", json=ADA)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
    assert answer.headers["cache-control"] == "no-store"
    me = client.get("/me", headers={"Authorization": f"Bearer {body['access_token']}"}).json()
    assert (me["username"], me["role"]) == ("ada", "user")


@pytest.mark.usefixtures("ada")
def test_the_form_of_oauth2_is_taken_too(client: TestClient) -> None:
    answer = client.post("/login", data={"grant_type": "password", "scope": "", "client_id": "x", **ADA})
    assert answer.status_code == 200
    assert answer.json()["token_type"] == "bearer"


@pytest.mark.usefixtures("ada")
def test_json_without_a_content_type_is_taken(client: TestClient) -> None:
    body = b'{"username": "ada", "password": "a quiet river at dusk"}'
    assert client.post("/login", content=body).status_code == 200


def test_a_password_in_another_script_survives_the_way(client: TestClient, platform: Platform) -> None:
    accounts.create_user(platform, LOCAL, "li", "春眠不覺曉處處聞啼鳥", Role.USER)
    for sent in ({"json": (given := {"username": "li", "password": "春眠不覺曉處處聞啼鳥"})}, {"data": given}):
        assert client.post("/login", **sent).status_code == 200


@pytest.mark.usefixtures("ada")
def test_name_password_and_account_at_fault_get_one_answer(client: TestClient, platform: Platform) -> None:
    accounts.create_user(platform, LOCAL, "gone", PASSWORD, Role.USER)
    accounts.update_user(platform, LOCAL, "gone", UpdateUser(disabled=True))
    told = []
    for username, password in [
        ("ada", "wrong"),
        ("nobody", PASSWORD),
        ("gone", PASSWORD),
        ("gone", "wrong"),
        ("ADA", PASSWORD),
        ("ada ", PASSWORD),
        ("\0", PASSWORD),
        ("a" * 250, PASSWORD),
        ("' OR 1=1 --", PASSWORD),
    ]:
        answer = client.post("/login", json={"username": username, "password": password})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"
        told.append({key: value for key, value in answer.json().items() if key != "request_id"})
    assert told[0]["code"] == "auth.bad_credentials"
    assert told == [told[0]] * len(told)
    with platform.installation.database.read() as session:
        assert session.query(LoginSessionRow).count() == 0


@pytest.mark.usefixtures("ada")
def test_each_sign_in_good_or_bad_is_recorded_and_a_mistyped_name_is_not(
    client: TestClient, platform: Platform
) -> None:
    client.post("/login", json=ADA)
    client.post("/login", json={"username": "ada", "password": "wrong password"})
    client.post("/login", json={"username": "my-secret-password", "password": "ada"})
    good, wrong, unknown = recorded(platform, "session.login")
    assert good[:3] == ("ada", "user:ada", "success")
    assert wrong == ("anonymous", "user:ada", "denied", {"reason": "wrong password"})
    assert unknown == ("anonymous", "user:?", "denied", {"reason": "unknown user"})


BAD_BODIES: list[tuple[dict[str, Any], str]] = [
    ({"json": {"username": "ada"}}, "/password"),
    ({"json": {"password": "x"}}, "/username"),
    ({"json": {"username": 5, "password": "x"}}, "/username"),
    ({"json": {"username": "", "password": "x"}}, "/username"),
    ({"json": {"username": "ada", "password": ""}}, "/password"),
    ({"json": {"username": "ada", "password": "x" * 2000}}, "/password"),
    ({"json": {"username": "x" * 300, "password": "x"}}, "/username"),
    ({"json": {"username": ["ada"], "password": {"a": 1}}}, "/username"),
    ({"json": ["ada", "x"]}, ""),
    ({"json": None}, ""),
    ({"content": b"{"}, ""),
    ({"content": b""}, ""),
    ({"content": b"[" * 100_000}, ""),
    ({"content": b'{"username": "\xff", "password": "x"}'}, ""),
    ({"content": b'{"username": "\\ud800", "password": "x"}'}, "/username"),
    ({"data": {"username": "ada"}}, "/password"),
    ({"content": b"%zz&&==", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, "/username"),
]


def test_a_body_that_is_no_sign_in_is_refused_with_the_place(client: TestClient) -> None:
    for sent, pointer in BAD_BODIES:
        answer = client.post("/login", **sent)
        assert answer.status_code == 422, (sent, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert body["code"] == "request.invalid"
        assert pointer in [place["pointer"] for place in body["errors"]]


def test_another_kind_of_body_is_refused(client: TestClient) -> None:
    for kind in ["multipart/form-data; boundary=x", "text/plain", "application/xml", "x"]:
        answer = client.post("/login", content=b"username=ada", headers={"Content-Type": kind})
        assert answer.status_code == 415
        assert "application/json" in answer.json()["detail"]


def test_a_refusal_never_repeats_the_password(client: TestClient) -> None:
    answer = client.post("/login", json={"username": "ada", "password": "hunter2" * 300})
    assert "hunter2" not in answer.text


@pytest.mark.usefixtures("ada")
def test_too_many_failures_are_refused_with_when_to_try_again(client: TestClient, platform: Platform) -> None:
    wrong = {"username": "ada", "password": "wrong"}
    statuses = [client.post("/login", json=wrong).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    answer = client.post("/login", json=ADA)
    assert answer.status_code == 429
    assert answer.json()["code"] == "limit.sign_in"
    assert 0 < int(answer.headers["retry-after"]) <= 15 * 60
    reasons = [details["reason"] for *_, details in recorded(platform, "session.login")]
    assert reasons == ["wrong password"] * 10 + ["too many failures"] * 3


@pytest.mark.usefixtures("ada")
def test_an_unknown_name_is_limited_like_a_known_one(client: TestClient) -> None:
    wrong = {"username": "nobody", "password": "wrong"}
    assert [client.post("/login", json=wrong).status_code for _ in range(11)] == [401] * 10 + [429]


@pytest.mark.usefixtures("ada")
def test_who_attacks_an_account_keeps_its_owner_out_of_no_other_place(api: FastAPI) -> None:
    attacker = TestClient(api, base_url="http://localhost", client=("203.0.113.9", 1))
    owner = TestClient(api, base_url="http://localhost", client=("198.51.100.4", 1))
    for _ in range(12):
        attacker.post("/login", json={"username": "ada", "password": "wrong"})
    assert attacker.post("/login", json=ADA).status_code == 429
    assert owner.post("/login", json=ADA).status_code == 200


@pytest.mark.usefixtures("ada")
def test_an_account_attacked_from_everywhere_answers_late_and_lets_its_owner_in(
    api: FastAPI, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_limits, "MAX_DELAY_SECONDS", 0.2)
    for network in range(40):
        for _ in range(3):
            platform.login_limits.failed(f"203.0.{network}.1", "ada")
    owner = TestClient(api, base_url="http://localhost", client=("198.51.100.4", 1))
    start = time.monotonic()
    assert owner.post("/login", json=ADA).status_code == 200
    assert time.monotonic() - start >= 0.2


@pytest.mark.usefixtures("ada")
def test_signing_in_often_is_no_failure(client: TestClient) -> None:
    assert [client.post("/login", json=ADA).status_code for _ in range(30)] == [200] * 30


@pytest.mark.usefixtures("ada")
def test_attempts_at_once_are_counted_as_those_one_after_the_other(client: TestClient) -> None:
    statuses: list[int] = []

    def attempt() -> None:
        statuses.append(client.post("/login", json={"username": "ada", "password": "wrong"}).status_code)

    threads = [threading.Thread(target=attempt) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(statuses) == 30
    # Two hash at once, so one more than ten may have been looked at; the others are refused, or too many to wait.
    assert 1 <= statuses.count(401) <= 11
    assert set(statuses) <= {401, 429}


@pytest.mark.usefixtures("ada")
def test_only_so_many_sign_ins_of_an_account_are_kept(
    client: TestClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.authentication.MAX_SESSIONS", 3)
    tokens = [client.post("/login", json=ADA).json()["access_token"] for _ in range(5)]
    valid = [client.get("/me", headers={"Authorization": f"Bearer {token}"}).status_code for token in tokens]
    assert valid == [401, 401, 200, 200, 200]


@pytest.mark.usefixtures("ada")
def test_a_hash_of_another_cost_is_renewed_at_sign_in(client: TestClient, platform: Platform) -> None:
    costly = Passwords(time_cost=2, memory_kib=16, parallelism=1).hash(PASSWORD)
    with platform.installation.database.write() as session:
        session.query(UserRow).update({"password_hash": costly})
    assert client.post("/login", json=ADA).status_code == 200
    with platform.installation.database.read() as session:
        assert "m=8,t=1,p=1" in session.query(UserRow).one().password_hash
    assert client.post("/login", json=ADA).status_code == 200


@pytest.fixture
def costly_client() -> Iterator[TestClient]:
    """The API with a cost of hashing that stands out from the rest of a request."""
    passwords = Passwords(time_cost=1, memory_kib=32768, parallelism=1)
    platform = open_platform(get_settings(), _Silent(), passwords=passwords)
    accounts.create_user(platform, LOCAL, "ada", PASSWORD, Role.USER)
    yield TestClient(create_app(platform), base_url="http://localhost")
    platform.installation.database.engine.dispose()


class _Silent:
    def send(self, task_id: str, kind: Any) -> None: ...

    def check(self) -> None: ...


def test_an_unknown_name_is_refused_as_late_as_a_known_one(costly_client: TestClient) -> None:
    def seconds(username: str) -> float:
        start = time.perf_counter()
        answer = costly_client.post("/login", json={"username": username, "password": "wrong password"})
        assert answer.status_code == 401
        return time.perf_counter() - start

    seconds("first")
    pairs: list[tuple[float, float]] = [(seconds("ada"), seconds("nobody")) for _ in range(7)]
    known, unknown = (min(times) for times in zip(*pairs, strict=True))
    assert 0.4 < unknown / known < 2.5, statistics.median(unknown / known for known, unknown in pairs)


def test_the_audit_log_that_cannot_be_written_lets_nobody_in(
    client: TestClient, ada: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.domain.errors import AuditUnavailable

    def fail(*_: Any, **__: Any) -> int:
        raise AuditUnavailable("the audit log cannot be written, so nothing was changed")

    monkeypatch.setattr(platform.audit, "append", fail)
    answer = client.post("/login", json=ADA)
    assert (answer.status_code, answer.json()["code"]) == (503, "audit.unavailable")
    with platform.installation.database.read() as session:
        assert session.query(LoginSessionRow).count() == 0


def test_the_document_shows_both_kinds_of_body(api: FastAPI) -> None:
    declared: Callable[..., Any] = api.openapi
    login = declared()["paths"]["/login"]["post"]
    assert set(login["requestBody"]["content"]) == {"application/json", "application/x-www-form-urlencoded"}
    assert {"200", "401", "415", "422", "429"} <= set(login["responses"])

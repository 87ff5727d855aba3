"""Credentials that are not valid are refused by the API: 401 with a challenge, problem+json, and a line in the log."""

import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.auth import jwt_utils
from app.auth.jwt_utils import AccessClaims
from app.db.repositories import users
from app.db.tables import AuditEventRow, LoginSessionRow
from app.domain.principal import Caller
from app.schemas.users import UpdateUser
from app.services import accounts
from app.services.platform import Platform

SignIn = Callable[..., Any]


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def opened(part: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(part + "=="))


def resigned(token: str, secret: bytes, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """The token with other contents (None takes a claim away) under a signature of `secret`."""
    head, said, _ = token.split(".")
    payload = {name: value for name, value in (opened(said) | claims).items() if value is not None}
    message = f"{segment(opened(head) | (header or {}))}.{segment(payload)}"
    signature = base64.urlsafe_b64encode(hmac.digest(secret, message.encode(), "sha256")).rstrip(b"=").decode()
    return f"{message}.{signature}"


def refused(client: TestClient, credential: str) -> dict[str, Any]:
    """The problem a credential meets with."""
    answer = client.get("/me", headers={"Authorization": f"Bearer {credential}".encode()})
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["title"]) == (401, "Unauthorized")
    assert body["request_id"] == answer.headers["x-request-id"]
    assert credential[:40] not in answer.text or not credential
    return body


@pytest.fixture
def secret(platform: Platform) -> bytes:
    return platform.signing_keys.newest().secret


@pytest.fixture
def token(sign_in: SignIn) -> str:
    return sign_in("user").tokens["access_token"]


def test_the_token_of_these_tests_is_valid_before_it_is_changed(client: TestClient, token: str, secret: bytes) -> None:
    for valid in (token, resigned(token, secret)):
        assert client.get("/me", headers={"Authorization": f"Bearer {valid}"}).json()["username"] == "user"


def test_an_expired_token_is_refused(client: TestClient, token: str, secret: bytes) -> None:
    now = int(datetime.now(UTC).timestamp())
    assert refused(client, resigned(token, secret, iat=now - 2000, exp=now - 1000))["code"] == "auth.token_expired"


def test_a_forged_token_is_refused(client: TestClient, token: str) -> None:
    assert refused(client, resigned(token, b"what an attacker would guess it to be"))["code"] == "auth.token_invalid"


def test_a_token_without_a_signature_is_refused(client: TestClient, token: str) -> None:
    head, said, _ = token.split(".")
    for algorithm in ["none", "None", "nOnE"]:
        unsigned = f"{segment(opened(head) | {'alg': algorithm})}.{said}."
        assert refused(client, unsigned)["code"] == "auth.token_invalid"


def test_a_token_of_another_algorithm_is_refused(client: TestClient, token: str, secret: bytes) -> None:
    for algorithm in ["HS384", "HS512", "RS256", "ES256"]:
        assert refused(client, resigned(token, secret, {"alg": algorithm}))["code"] == "auth.token_invalid"


def test_a_token_for_another_audience_or_of_another_issuer_is_refused(
    client: TestClient, token: str, secret: bytes
) -> None:
    elsewhere = {"aud": "another-service"}, {"aud": ["another-service"]}, {"iss": "https://elsewhere.example"}
    for claims in elsewhere:
        assert refused(client, resigned(token, secret, **claims))["code"] == "auth.token_invalid"


@pytest.mark.parametrize("claim", jwt_utils.REQUIRED)
def test_a_token_without_a_required_claim_is_refused(client: TestClient, token: str, secret: bytes, claim: str) -> None:
    assert refused(client, resigned(token, secret, **{claim: None}))["code"] == "auth.token_invalid"


def test_a_token_with_claims_that_can_be_nobodys_is_refused(client: TestClient, token: str, secret: bytes) -> None:
    for claims in [
        {"sub": "2147483648000"},
        {"sub": "99999999999999999999999999"},
        {"sub": "-1"},
        {"sid": "'; DROP TABLE users; --"},
        {"sid": "a\0b"},
        {"sid": "x" * 1000},
    ]:
        assert refused(client, resigned(token, secret, **claims))["code"] == "auth.token_invalid"


def test_a_token_of_one_account_is_worth_nothing_with_the_number_of_another(
    client: TestClient, sign_in: SignIn, token: str, secret: bytes, platform: Platform
) -> None:
    sign_in("admin")
    with platform.installation.database.read() as session:
        admin = users.get(session, "admin")
    assert admin is not None
    assert refused(client, resigned(token, secret, sub=str(admin.id)))["code"] == "auth.session_ended"


def test_a_token_of_an_unknown_key_is_refused(client: TestClient, token: str, secret: bytes) -> None:
    for kid in ["unknown", "", "../jwt.json", 7, None]:
        assert refused(client, resigned(token, secret, {"kid": kid}))["code"] == "auth.token_invalid"


def test_a_refresh_token_is_no_access_token(client: TestClient, sign_in: SignIn) -> None:
    assert refused(client, sign_in("user").tokens["refresh_token"])["code"] == "auth.token_invalid"


def test_garbage_is_refused(client: TestClient) -> None:
    for credential in ["x", "a.b.c", "null", "e30.e30.e30", "ü" * 30, "🙂.🙂.🙂", "." * 500, "{}", "eyJ" * 100, "%00"]:
        assert refused(client, credential)["code"] == "auth.token_invalid"


def test_a_very_long_token_is_refused(client: TestClient, token: str, secret: bytes) -> None:
    assert refused(client, resigned(token, secret, padding="x" * 20_000))["code"] == "auth.token_invalid"


def test_a_revoked_sign_in_is_refused_at_once(client: TestClient, sign_in: SignIn) -> None:
    account = sign_in("user")
    assert account.get("/me").status_code == 200
    assert account.post("/logout").status_code == 204
    assert refused(client, account.tokens["access_token"])["code"] == "auth.session_ended"


def test_a_sign_in_that_has_run_out_is_refused(client: TestClient, token: str, platform: Platform) -> None:
    with platform.installation.database.write() as session:
        session.query(LoginSessionRow).update({"expires_at": datetime.now(UTC) - timedelta(seconds=1)})
    assert refused(client, token)["code"] == "auth.session_ended"


def test_a_disabled_account_is_refused_at_once(client: TestClient, token: str, platform: Platform) -> None:
    accounts.update_user(platform, Caller(local_user="tests"), "user", UpdateUser(disabled=True))
    assert refused(client, token)["code"] == "auth.session_ended"
    accounts.update_user(platform, Caller(local_user="tests"), "user", UpdateUser(disabled=False))
    assert refused(client, token)["code"] == "auth.session_ended"


def test_a_token_of_an_account_that_never_was_is_refused_as_one_that_has_ended(
    client: TestClient, platform: Platform
) -> None:
    key = platform.signing_keys.newest()
    claims = AccessClaims(user_id=4242, session_id="0" * 32)
    made_up = jwt_utils.issue_access_token(claims, key_id=key.key_id, secret=key.secret)
    assert refused(client, made_up)["code"] == "auth.session_ended"


def test_a_changed_role_holds_from_the_next_request_on(sign_in: SignIn, platform: Platform) -> None:
    account = sign_in("user")
    assert account.get("/users").status_code == 403
    accounts.update_user(platform, Caller(local_user="tests"), "user", UpdateUser.model_validate({"role": "admin"}))
    assert account.get("/users").status_code == 200


def test_without_a_bearer_token_the_answer_says_what_to_send(client: TestClient) -> None:
    for header in ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Token x", "bearer", "Bearer\tx", "x Bearer y"]:
        answer = client.get("/me", headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] in ("auth.required", "auth.token_invalid")
        assert "POST /login" in answer.json()["detail"]


def test_a_token_in_the_address_counts_for_nothing(client: TestClient, token: str) -> None:
    assert client.get("/me", params={"access_token": token, "token": token}).status_code == 401


def test_a_rotated_key_signs_nobody_out_and_signs_the_next_tokens(
    client: TestClient, sign_in: SignIn, platform: Platform
) -> None:
    from app.services.secrets import rotate_jwt_key

    before = sign_in("user")
    key_id = rotate_jwt_key(platform.settings)
    assert before.get("/me").status_code == 200
    fresh = client.post("/refresh", json={"refresh_token": before.tokens["refresh_token"]}).json()["access_token"]
    assert opened(fresh.split(".")[0])["kid"] == key_id
    assert client.get("/me", headers={"Authorization": f"Bearer {fresh}"}).status_code == 200


def test_a_bad_credential_is_recorded_and_not_what_it_was(client: TestClient, platform: Platform, token: str) -> None:
    refused(client, token[:-4] + "AAAA")
    with platform.installation.database.read() as session:
        last = session.query(AuditEventRow).order_by(AuditEventRow.id.desc()).first()
        assert last is not None
        assert (last.actor, last.action, last.outcome) == ("anonymous", "access.denied", "denied")
        assert last.details["code"] == "auth.token_invalid"
        assert token[:20] not in str(last.details)

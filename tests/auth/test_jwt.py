"""Access tokens: what a valid one says, and every way in which one is not valid."""

import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.auth import jwt_utils
from app.auth.jwt_utils import ALGORITHM, AUDIENCE, ISSUER, REQUIRED, TYPE, AccessClaims, read_access_token
from app.domain.errors import Unauthenticated

KEY_ID, SECRET = "a-key", b"s3cret of at least thirty-two bytes"
SESSION = "5f0c9c3fd3c14f6f9a4d0b5f8e2a7c61"
SAID = AccessClaims(user_id=7, session_id=SESSION)


def read(token: str) -> AccessClaims:
    return read_access_token(token, {KEY_ID: SECRET}.get)


def issue(**changes: Any) -> str:
    return jwt_utils.issue_access_token(SAID, **({"key_id": KEY_ID, "secret": SECRET} | changes))


def payload(**changes: Any) -> dict[str, Any]:
    """The claims of a valid token with some of them changed; None takes one away."""
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "7",
        "sid": SESSION,
        "jti": "1",
        "iat": now,
        "exp": now + 600,
    } | changes
    return {name: value for name, value in claims.items() if value is not None}


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed(secret: bytes = SECRET, header: dict[str, Any] | None = None, digest: str = "sha256", **claims: Any) -> str:
    """A token made by hand, since the library refuses to make most of the wrong ones."""
    head = {"alg": ALGORITHM, "kid": KEY_ID, "typ": TYPE} | (header or {})
    message = (
        f"{segment({name: value for name, value in head.items() if value is not None})}.{segment(payload(**claims))}"
    )
    signature = base64.urlsafe_b64encode(hmac.digest(secret, message.encode(), digest)).rstrip(b"=").decode()
    return f"{message}.{signature}"


def code_of(read_token: Callable[[], Any]) -> str:
    with pytest.raises(Unauthenticated) as caught:
        read_token()
    return caught.value.code


def test_a_token_says_who_and_which_sign_in_for_a_quarter_of_an_hour() -> None:
    token = issue()
    assert read(token) == SAID
    claims = jwt.decode(token, options={"verify_signature": False})
    assert set(REQUIRED) == set(claims)
    assert claims["exp"] - claims["iat"] == 900
    assert "role" not in claims


def test_no_two_tokens_have_one_id() -> None:
    ids = {jwt.decode(issue(), options={"verify_signature": False})["jti"] for _ in range(10)}
    assert len(ids) == 10


def test_a_token_that_has_expired_is_told_apart_so_that_a_client_knows_to_refresh() -> None:
    token = issue(now=datetime.now(UTC) - timedelta(hours=1))
    assert code_of(lambda: read(token)) == "auth.token_expired"


def test_clocks_may_differ_by_half_a_minute_and_no_more() -> None:
    lifetime = jwt_utils.LIFETIME
    assert read(issue(now=datetime.now(UTC) - lifetime - timedelta(seconds=5))) == SAID
    assert (
        code_of(lambda: read(issue(now=datetime.now(UTC) - lifetime - timedelta(seconds=60)))) == "auth.token_expired"
    )
    assert code_of(lambda: read(issue(now=datetime.now(UTC) + timedelta(seconds=120)))) == "auth.token_invalid"


@pytest.mark.parametrize("claim", REQUIRED)
def test_a_token_without_a_required_claim_is_refused(claim: str) -> None:
    assert read(signed()) == SAID
    assert code_of(lambda: read(signed(**{claim: None}))) == "auth.token_invalid"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another-service"},
        {"aud": [AUDIENCE, "another-service"]},
        {"aud": ""},
        {"iss": "https://elsewhere"},
        {"sub": "ada"},
        {"sub": ""},
        {"sub": str(2**31)},
        {"sub": "-7"},
        {"sid": "x" * 32},
        {"sid": 5},
        {"sid": ["a"]},
        {"jti": "1", "exp": "soon"},
        {"iat": "now"},
        {"nbf": 4_000_000_000},
    ],
    ids=str,
)
def test_a_claim_that_is_not_ours_is_refused(claims: dict[str, Any]) -> None:
    assert code_of(lambda: read(signed(**claims))) == "auth.token_invalid"


@pytest.mark.parametrize(
    "header",
    [{"kid": "another"}, {"kid": None}, {"kid": "../../etc/passwd"}, {"kid": ""}, {"typ": "JWT"}, {"typ": None}],
    ids=str,
)
def test_a_key_or_a_kind_that_is_not_ours_is_refused(header: dict[str, Any]) -> None:
    assert code_of(lambda: read(signed(header=header))) == "auth.token_invalid"


@pytest.mark.parametrize("kid", [5, ["a-key"], {"a": 1}, True], ids=str)
def test_a_key_id_that_is_no_text_is_refused(kid: Any) -> None:
    assert code_of(lambda: read(signed(header={"kid": kid}))) == "auth.token_invalid"


def test_a_token_signed_with_another_secret_is_refused() -> None:
    assert code_of(lambda: read(signed(b"another secret of thirty-two bytes!"))) == "auth.token_invalid"


def test_a_token_signed_with_what_everybody_knows_is_refused() -> None:
    known = [b"", KEY_ID.encode(), b"secret", SESSION.encode()]
    assert {code_of(lambda secret=secret: read(signed(secret))) for secret in known} == {"auth.token_invalid"}


@pytest.mark.parametrize("position", [0, 1, 2], ids=["header", "claims", "signature"])
def test_a_token_of_which_a_part_was_changed_is_refused(position: int) -> None:
    parts, other = issue().split("."), signed(sub="8").split(".")
    parts[position] = other[position] if position else segment({"alg": ALGORITHM, "typ": TYPE, "kid": KEY_ID, "x": 1})
    assert code_of(lambda: read(".".join(parts))) == "auth.token_invalid"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None], ids=str)
@pytest.mark.parametrize("signature", ["", "AAAA"])
def test_a_token_that_claims_to_need_no_signature_is_refused(algorithm: str | None, signature: str) -> None:
    token = f"{segment({'alg': algorithm, 'typ': TYPE, 'kid': KEY_ID})}.{segment(payload())}.{signature}"
    assert code_of(lambda: read(token)) == "auth.token_invalid"


@pytest.mark.parametrize("bits", ["384", "512"])
def test_another_algorithm_with_the_right_secret_is_refused(bits: str) -> None:
    assert code_of(lambda: read(signed(header={"alg": f"HS{bits}"}, digest=f"sha{bits}"))) == "auth.token_invalid"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA", "PS256", "HS256 ", "hs256"])
def test_an_algorithm_that_is_not_ours_is_refused_whatever_key_the_token_brings(algorithm: str) -> None:
    brought = {"jwk": {"kty": "oct", "k": "AAAA"}, "jku": "https://evil.example/keys", "x5u": "https://evil.example"}
    assert code_of(lambda: read(signed(header={"alg": algorithm, **brought}))) == "auth.token_invalid"


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "a.b.c.d",
        "e30.e30.",
        "e30.e30.e30",
        "null",
        "\0",
        "ü.ü.ü",
        "Bearer x",
        "🙂" * 9,
        "x" * 9,
    ],
    ids=ascii,
)
def test_garbage_is_refused(token: str) -> None:
    assert code_of(lambda: read(token)) == "auth.token_invalid"


def test_a_very_long_token_is_refused_before_it_is_looked_at() -> None:
    asked: list[str] = []
    token = signed(padding="x" * 5000)
    assert code_of(lambda: read_access_token(token, lambda kid: asked.append(kid) or SECRET)) == "auth.token_invalid"
    assert asked == []


def test_claims_nested_without_end_are_refused() -> None:
    deep = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 400 + b"]" * 400 + b"}").rstrip(b"=").decode()
    assert code_of(lambda: read(f"{deep}.{segment(payload())}.AAAA")) == "auth.token_invalid"


@settings(deadline=None)
@given(st.text(max_size=300) | st.lists(st.binary(max_size=60), min_size=3, max_size=3))
def test_no_text_makes_reading_fail_otherwise_than_by_refusing(given: str | list[bytes]) -> None:
    text = given if isinstance(given, str) else ".".join(base64.urlsafe_b64encode(part).decode() for part in given)
    assert code_of(lambda: read(text)) == "auth.token_invalid"


def test_no_answer_says_which_check_failed() -> None:
    wrong = [
        signed(aud="x"),
        signed(iss="x"),
        signed(b"another secret of thirty-two bytes!"),
        "garbage",
        signed(sid=None),
    ]
    told = set()
    for token in wrong:
        with pytest.raises(Unauthenticated) as caught:
            read(token)
        told.add(str(caught.value))
    assert len(told) == 1

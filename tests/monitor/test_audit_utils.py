"""What an audit event is made of: one form for one event, hashes that notice all, and no secret."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.audit import AuditEvent
from app.domain.errors import InvalidInput
from app.monitor.audit_utils import (
    GENESIS_HASH,
    MAX_DETAILS_BYTES,
    MAX_TEXT_CHARACTERS,
    canonical_json,
    checked_details,
    event_hash,
    is_signed,
    rfc3339,
    sign,
    storable,
)

TIME = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
EVENT = AuditEvent(
    id=7,
    time=TIME,
    actor="ada",
    action="dataset.create",
    resource="dataset:reviews",
    outcome="success",
    ip="192.0.2.1",
    request_id="r-1",
    details={"rows": 3, "names": ["a", "b"]},
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "é"]), inner, max_size=3),
    max_leaves=8,
)


def test_the_hash_of_an_event_never_changes() -> None:
    """Logs that exist were chained by it: another form would make all of them look forged."""
    assert event_hash(EVENT, GENESIS_HASH) == "a80b3bad5f392dbcc9c25939b206d9d41385cec213a494e713f48b3075cdf820"


@pytest.mark.parametrize(
    "change",
    [
        {"id": 8},
        {"time": TIME + timedelta(microseconds=1)},
        {"actor": "eve"},
        {"action": "dataset.delete"},
        {"resource": "dataset:other"},
        {"outcome": "failed"},
        {"ip": None},
        {"request_id": ""},
        {"details": {"rows": 3, "names": ["b", "a"]}},
        {"details": {"rows": "3", "names": ["a", "b"]}},
    ],
)
def test_everything_an_event_says_is_in_its_hash(change: dict[str, Any]) -> None:
    assert event_hash(replace(EVENT, **change), GENESIS_HASH) != event_hash(EVENT, GENESIS_HASH)


def test_the_hash_before_is_in_the_hash() -> None:
    assert event_hash(EVENT, "1" * 64) != event_hash(EVENT, GENESIS_HASH)


def test_the_same_event_has_the_same_hash_whatever_the_order_of_details_and_the_zone() -> None:
    there = timezone(timedelta(hours=8))
    same = replace(EVENT, details={"names": ["a", "b"], "rows": 3}, time=TIME.astimezone(there))
    assert event_hash(same, GENESIS_HASH) == event_hash(EVENT, GENESIS_HASH)


def test_times_have_six_digits_and_utc() -> None:
    assert rfc3339(TIME) == "2026-01-31T09:30:00.000000Z"
    assert rfc3339(datetime(2026, 1, 1, 0, 0, 0, 5, timezone(timedelta(hours=1)))) == "2025-12-31T23:00:00.000005Z"


@settings(deadline=None)
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_details_survive_a_database_unchanged(details: dict[str, Any]) -> None:
    try:
        checked = checked_details(details)
    except (ValueError, InvalidInput):
        return
    assert canonical_json(json.loads(json.dumps(checked))) == canonical_json(checked)
    assert "\\u0000" not in json.dumps(checked)


def test_a_signature_is_of_one_key_one_purpose_and_one_content() -> None:
    signature = sign(b"key", "head", 3, "ab")
    assert is_signed(signature, b"key", "head", 3, "ab")
    others = [
        (b"other", "head", 3, "ab"),
        (b"key", "checkpoint", 3, "ab"),
        (b"key", "head", 4, "ab"),
        (b"key", "head", 3, "ac"),
    ]
    assert not any(is_signed(signature, *other) for other in others)
    assert not is_signed("é", b"key", "head", 3, "ab")


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "new_password",
        "passwordHash",
        "token",
        "refresh_token",
        "accessToken",
        "client-secret",
        "Authorization",
        "api_key",
        "cookie",
        "text",
        "texts",
        "credentials",
    ],
)
def test_a_detail_that_may_be_a_secret_or_a_text_is_refused_at_any_depth(key: str) -> None:
    for details in ({key: "x"}, {"changed": [{"old": {key: "x"}}]}):
        with pytest.raises(ValueError, match=key):
            checked_details(details)


def test_details_that_only_sound_alike_are_taken() -> None:
    details = {"text_column": "review", "max_tokens": 3, "key_id": 7, "api_key_name": "ci", "idempotency_key": "a"}
    assert checked_details(details) == details


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLWl0",
        "ft_a1b2c3d4_" + "Zx9-" * 8,
        "Bearer abcdef0123456789",
    ],
)
def test_a_value_that_looks_like_a_token_is_removed(secret: str) -> None:
    assert checked_details({"why": [f"could not use {secret} here"]}) == {"why": ["could not use [removed] here"]}


def test_long_values_are_cut_and_too_many_are_refused() -> None:
    (cut,) = checked_details({"why": "x" * 100_000}).values()
    assert cut == "x" * (MAX_TEXT_CHARACTERS - 1) + "…"
    assert storable("resource", "d" * 1000) == "d" * 254 + "…"
    with pytest.raises(InvalidInput) as caught:
        checked_details({"names": ["x" * 100] * (MAX_DETAILS_BYTES // 100)})
    assert caught.value.code == "audit.too_large"


def test_what_steers_a_terminal_or_fakes_a_line_is_written_out() -> None:
    assert storable("actor", "a\x00b\nc\x1b[2J\ud800") == "a\\x00b\\nc\\x1b[2J\\ud800"
    assert checked_details({"n\nme": "\x07"}) == {"n\\nme": "\\x07"}

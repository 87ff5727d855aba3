"""Cursors say where a list goes on, for the list they were made for, and nothing else."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InvalidInput
from app.services.paging import CursorValue, decode_cursor, encode_cursor

VALUES: tuple[CursorValue, ...] = ("負面\u2028", 7, 0.1, datetime(2026, 1, 31, 12, tzinfo=UTC), None)
KINDS = (str, int, float, datetime, float)


def test_a_cursor_comes_back_as_it_was_made() -> None:
    cursor = encode_cursor("runs", VALUES)
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&?")
    assert decode_cursor(cursor, "runs", KINDS) == VALUES


def forged(*values: object) -> str:
    scope = json.loads(base64.urlsafe_b64decode(encode_cursor("runs", [1]) + "=="))[0]
    content = json.dumps([scope, *values]).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@pytest.mark.parametrize(
    ("cursor", "kinds"),
    [
        (encode_cursor("others", VALUES), KINDS),
        (encode_cursor("runs", VALUES[:2]), KINDS),
        (encode_cursor("runs", VALUES)[:-3], KINDS),
        (forged("text"), (int,)),
        (forged(True), (int,)),
        (forged(2**63), (int,)),
        (forged(10**400), (float,)),
        (forged(float("nan")), (float,)),
        (forged("nul\0"), (str,)),
        (forged("\ud800"), (str,)),
        (forged("yesterday"), (datetime,)),
        (forged("2026-01-31T12:00:00"), (datetime,)),
        (forged([1]), (int,)),
        (forged({"a": 1}), (str,)),
        ("", (int,)),
        ("é", (int,)),
        ("x" * 5000, (int,)),
    ],
)
def test_what_is_no_cursor_of_this_list_is_refused(cursor: str, kinds: tuple[type, ...]) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_cursor(cursor, "runs", kinds)
    assert caught.value.code == "page.invalid"


@given(st.text(max_size=200))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        decode_cursor(text, "runs", KINDS)

"""The language of `--where` and `--sort`."""

from datetime import UTC, datetime

import pytest

from app.domain.errors import InvalidInput
from app.domain.filters import Combined, Comparison, Not, SortKey, parse_filter, parse_sort


def test_a_comparison_has_a_value_of_the_columns_kind() -> None:
    assert parse_filter("accuracy >= 0.9") == Comparison("accuracy", ">=", 0.9)
    assert parse_filter("state=success") == Comparison("state", "=", "SUCCESS")
    assert parse_filter("created_at > 2026-01-31") == Comparison("created_at", ">", datetime(2026, 1, 31, tzinfo=UTC))
    assert parse_filter("dataset ~ '評論 and more'") == Comparison("dataset", "~", "評論 and more")


def test_and_binds_closer_than_or() -> None:
    a, b, c = (Comparison("name", "=", letter) for letter in "abc")
    assert parse_filter("name = a or name = b and name = c") == Combined("or", (a, Combined("and", (b, c))))
    assert parse_filter("(name = a or name = b) AND name = c") == Combined("and", (Combined("or", (a, b)), c))
    assert parse_filter("not name = a and name = b") == Combined("and", (Not(a), b))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("acuracy > 1", "did you mean accuracy"),
        ("password = x", "there is no column 'password'"),
        ("accuracy > high", "compared with a number, not 'high'"),
        ("accuracy", "expected a comparison after 'accuracy', the condition ends"),
        ("accuracy >", "a value is missing"),
        ("state > SUCCESS", "compared with = or !="),
        ("state = DONE", "state is one of PENDING"),
        ("loss ~ 3", "contains"),
        ("created_at > yesterday", "a date such as"),
        ("(name = a", "not closed"),
        ("name = a name = b", "'name' was not expected"),
        ("name = 'a", "cannot read"),
        ("", "expected a column name"),
        ("(" * 500 + "name = a", "nested more than"),
        ("not " * 400 + "name = a", "nested more than"),
        ("name = a or " * 500 + "name = a", "characters"),
    ],
)
def test_what_cannot_be_read_is_explained(text: str, complaint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_filter(text)
    assert complaint in caught.value.message
    assert caught.value.hint


def test_a_minus_sorts_downwards() -> None:
    assert parse_sort("-accuracy, name") == (SortKey("accuracy", descending=True), SortKey("name", descending=False))


def test_an_unknown_sort_column_lists_those_there_are() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_sort("-score")
    assert "accuracy" in caught.value.hint

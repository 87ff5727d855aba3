"""Names of files that clients send: shown as far as they are harmless, never part of a path."""

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.services.file_names import MAX_NAME_CHARACTERS, name_here, safe_name, suffix_of, with_shown_names


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("reviews.csv", "reviews.csv"),
        ("評論 2024.tsv", "評論 2024.tsv"),
        ("Reviews.CSV", "Reviews.CSV"),
        ("rows.jsonl.gz", "rows.jsonl.gz"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\Users\\me\\rows.csv", "rows.csv"),
        ("／etc／ｐａｓｓｗｄ", "passwd"),
        ("..", "upload"),
        ("", "upload"),
        (".csv", "upload.csv"),
        ("a\0b\r\nc.csv", "ab c.csv"),
        ("gpj\u202e.csv", "gpj.csv"),
        ("x" * 5000 + ".parquet", "x" * 92 + ".parquet"),
        ("\ud800.csv", "upload.csv"),
    ],
)
def test_a_name_is_shown_as_far_as_it_is_harmless(given_name: str, shown: str) -> None:
    assert safe_name(given_name) == shown


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_whatever_a_client_calls_a_file_what_is_shown_is_one_printable_name(given_name: str) -> None:
    shown = safe_name(given_name)
    assert 0 < len(shown) <= MAX_NAME_CHARACTERS
    assert shown not in (".", "..")
    assert not set(shown) & set("/\\\0\n\r")
    assert all(unicodedata.category(char)[0] != "C" for char in shown)


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_the_name_a_file_has_here_is_made_of_digits_and_a_known_ending(given_name: str) -> None:
    here, shown_as = name_here(safe_name(given_name))
    [(token, stem)] = shown_as.items()
    assert len(token) == 32
    assert set(token) <= set("0123456789abcdef")
    assert here == token + suffix_of(here)
    assert safe_name(given_name).lower() == (stem + suffix_of(here)).lower()


def test_what_is_said_about_a_file_says_its_own_name() -> None:
    here, shown_as = name_here('"評論".csv')
    said = json.dumps({"message": f"{here} is empty"})
    assert json.loads(with_shown_names(said, shown_as)) == {"message": '"評論".csv is empty'}

"""API keys and refresh tokens: their form, their chance, and what is stored of them."""

import pytest

from app.auth.api_keys import digest, matches, new_api_key, new_refresh_token, prefix_of, session_of
from app.monitor.audit_utils import checked_details

SESSION = "5f0c9c3fd3c14f6f9a4d0b5f8e2a7c61"


def test_a_key_shows_its_prefix_and_nothing_else() -> None:
    key, prefix = new_api_key()
    assert key.startswith(f"ft_{prefix}_")
    assert prefix_of(key) == prefix
    assert len(key.removeprefix(f"ft_{prefix}_")) == 43


def test_no_two_keys_are_alike() -> None:
    keys = [new_api_key() for _ in range(200)]
    assert len({key for key, _ in keys}) == len({prefix for _, prefix in keys}) == 200


def test_only_the_whole_key_matches_what_is_stored() -> None:
    key, prefix = new_api_key()
    stored = digest(key)
    assert key not in stored
    assert matches(key, stored)
    assert not matches(key[:-1], stored)
    assert not matches(f"ft_{prefix}_", stored)
    assert not matches(key, "")


@pytest.mark.parametrize("text", ["", "ft_", "ft_abc_def", "ft_0123456789ab_", "FT_0123456789ab_" + "x" * 43])
def test_what_has_not_the_form_of_a_key_has_no_prefix(text: str) -> None:
    assert prefix_of(text) is None
    assert prefix_of(new_api_key()[0] + "\n") is None


def test_a_refresh_token_names_its_sign_in() -> None:
    token = new_refresh_token(SESSION)
    assert session_of(token) == SESSION
    assert token != new_refresh_token(SESSION)


@pytest.mark.parametrize("text", ["", ".", SESSION, f"{SESSION}.", f"../{SESSION}.{'x' * 43}", f"{SESSION}.{'x' * 44}"])
def test_what_has_not_the_form_of_a_refresh_token_names_none(text: str) -> None:
    assert session_of(text) is None


def test_an_api_key_is_kept_out_of_the_audit_log_wherever_it_is_written() -> None:
    key, _ = new_api_key()
    assert key not in str(checked_details({"note": f"I used {key} here"}))

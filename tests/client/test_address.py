"""Addresses of servers: one spelling each, and nothing sent in the open without being asked for."""

import pytest

from app.client.address import normalise
from app.domain.errors import InvalidInput


@pytest.mark.parametrize(
    ("given", "spelling"),
    [
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("HTTP://LocalHost:80", "http://localhost"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://Example.ORG:443/finetune/", "https://example.org/finetune"),
        ("  https://example.org:8443", "https://example.org:8443"),
    ],
)
def test_a_server_has_one_spelling(given: str, spelling: str) -> None:
    assert normalise(given) == spelling


@pytest.mark.parametrize("given", ["http://example.org", "http://10.0.0.7:8000", "http://localhost.example.org"])
def test_plain_http_to_another_machine_is_refused_unless_it_is_asked_for(given: str) -> None:
    with pytest.raises(InvalidInput, match="unencrypted") as caught:
        normalise(given)
    assert "--insecure-http" in caught.value.hint
    assert normalise(given, insecure_http=True) == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "example.org",
        "ftp://example.org",
        "https://",
        "https://ada:secret@example.org",
        "https://example.org?x=1",
        "https://example.org#x",
        "http://127.0.0.1:80000",
        "http://127.0.0.1:x",
        "https://exa mple.org",
    ],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        normalise(given)
    assert "secret" not in str(caught.value)

"""Texts that came from elsewhere are shown as they are: no emphasis, no link, no address made of them."""

import re

import pytest

from app.ui.components.states import plain

GITHUB_LINK = re.compile(r"https?://[-.\w]+|www\.[-.\w]+|[-.\w+]+@[-\w]+(\.[-\w]+)+", re.IGNORECASE)
"""What GitHub's Markdown makes links of, by itself and after escapes were taken away."""


@pytest.mark.parametrize(
    "text",
    ["https://example.org/x", "HTTP://example.org", "see www.example.org", "ada@example.org", "data@1-train.csv"],
)
def test_no_link_is_made_of_a_text(text: str) -> None:
    shown = plain(text)
    assert not GITHUB_LINK.search(shown.replace("\\", ""))
    assert shown.replace("\\", "").replace("\u2060", "") == text


@pytest.mark.parametrize("text", ["reviews@2", "reviews@12", "two rows"])
def test_what_is_harmless_is_left_alone(text: str) -> None:
    assert plain(text) == text

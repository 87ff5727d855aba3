"""Texts that came from elsewhere are shown as they are: no emphasis, no link, no formula made of them."""

import re

import pytest

from app.ui.components.curves import as_csv
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


def test_a_table_for_a_spreadsheet_keeps_its_words_and_holds_no_formula() -> None:
    content = as_csv([{"標籤": "=1+1", "n": -1.5}, {"標籤": "好，很好", "n": 2}, {"標籤": "@SUM(A1)", "n": 3}])
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.decode("utf-8-sig").splitlines() == ["標籤,n", "'=1+1,-1.5", "好，很好,2", "'@SUM(A1),3"]

"""The page of a profile: self-contained, escaped, the same bytes for the same rows."""

import re

import pytest

from app.data.analysis import profile_rows
from app.data.profiling.page import render_page

WORDS = ["soup", "bread", "evening", "waiter", "lamp", "garden", "kettle", "ticket", "museum", "river"]


def _rows(num_labels: int, rows: int = 600) -> tuple[list[str], list[str]]:
    texts = [f"the {WORDS[n % 10]} and the {WORDS[(n * 3) % 7]} number {n}" for n in range(rows)]
    return texts, [f"label {n % num_labels}" for n in range(rows)]


@pytest.mark.parametrize("num_labels", [1, 2, 77])
def test_a_page_has_every_label_and_loads_nothing_from_elsewhere(num_labels: int) -> None:
    page = render_page(profile_rows(*_rows(num_labels), with_map=True), "rows.csv")
    assert all(f"label {n}<" in page for n in range(num_labels))
    assert not re.search(r"(?:src|href)=[\"'](?!#)|@import|url\(", page)


def test_the_same_rows_give_the_same_page() -> None:
    assert render_page(profile_rows(*_rows(3)), "rows.csv") == render_page(profile_rows(*_rows(3)), "rows.csv")


def test_texts_labels_and_names_are_escaped() -> None:
    texts = [f"<script>alert({n})</script> is what number {n} says" for n in range(40)]
    labels = ['"><img src=x onerror=alert(1)>', "it's & that"] * 20
    page = render_page(profile_rows(texts, labels, with_map=True), "<b>rows</b>.csv")
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "<b>rows" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_texts_without_words_have_a_page_too() -> None:
    assert "4 texts" in render_page(
        profile_rows(["😀", "😀😀", "🎉", "…"], ["a", "b", "a", "b"], with_map=True), "rows.csv"
    )

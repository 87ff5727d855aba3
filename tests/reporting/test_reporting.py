"""Numbers, ticks, cut names and escaped pages, as a reader or an attacker would see them."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from app.reporting import pages
from app.reporting.formats import excerpt, percent
from app.reporting.svg import cut, element, round_ticks, width_of


def test_numbers_are_never_rounded_to_a_certainty_they_have_not_reached() -> None:
    assert [percent(share) for share in (0, 0.5, 0.99999, 0.00001, 1)] == [
        "0.0 %",
        "50.0 %",
        "> 99.9 %",
        "< 0.1 %",
        "100.0 %",
    ]


def test_an_excerpt_joins_white_space_and_shows_that_it_was_cut() -> None:
    assert excerpt("a\n\n b") == "a b"
    assert excerpt("word " * 50, 20) == "word word word word …"


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.81, 0.93), (0.0, 12345.0), (1e-5, 9e-5), (2.0, 2.0)])
def test_ticks_are_few_and_inside(low: float, high: float) -> None:
    ticks = round_ticks(low, high)

    assert 1 <= len(ticks) <= 8
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)


def test_names_are_cut_by_the_width_they_take() -> None:
    assert (width_of("ab"), width_of("中文")) == (2, 4)
    assert cut("abcdef", 4) == "abcd…"
    assert cut("中文字", 4) == "中文…"
    assert cut("abcd", 4) == "abcd"


def test_an_element_escapes_words_and_attribute_values_but_not_markup() -> None:
    drawn = element("text", "<b>", Markup("<i/>"), class_='a"b', data_name="&")
    assert drawn == '<text class="a&#34;b" data-name="&amp;">&lt;b&gt;<i/></text>'


def test_a_page_escapes_every_value_and_lacks_none(tmp_path: Path) -> None:
    (tmp_path / "page.html.j2").write_text('{% from "parts.html.j2" import legend %}{{ legend([(name, "first")]) }}')
    assert "<b>" not in pages.render(tmp_path, "page.html.j2", name="<b>")
    with pytest.raises(UndefinedError):
        pages.render(tmp_path, "page.html.j2")

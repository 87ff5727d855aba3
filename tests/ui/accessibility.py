"""What axe finds wrong with a page by WCAG 2.1 A and AA; what Streamlit draws itself is listed here, with a reason."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import Page

GRAVE = ("serious", "critical")
_RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
_FINISH = "() => document.getAnimations().filter(one => one instanceof CSSTransition).forEach(one => one.finish())"
"""Half way through a change of colours no contrast is what it will be."""
_LOOK = """async ([rules, places]) => {
  const found = await axe.run(document, rules);
  const within = node => places.filter(place => document.querySelector(node.target[0])?.closest(place));
  return found.violations.flatMap(({id, impact, nodes}) => nodes.map(node =>
    ({rule: id, impact, html: node.html, why: node.failureSummary, within: within(node)})));
}"""


class NotOurs(NamedTuple):
    """Findings of a rule within what Streamlit draws itself, by a selector; and why we cannot mend them."""

    rule: str
    within: str
    reason: str


NOT_OURS = (
    NotOurs(
        "list", "[data-testid=stSidebarNavItems]", "Streamlit puts sections of the navigation into its list as div"
    ),
    NotOurs("listitem", "[data-testid=stSidebarNavItems]", "the same, seen from the items"),
)


def faults(page: "Page") -> list[str]:
    """The grave findings on a page at rest, each with its element."""
    page.evaluate(_FINISH)
    page.evaluate(_axe())
    places = sorted({one.within for one in NOT_OURS})
    found = page.evaluate(_LOOK, [_RULES, places])
    return [
        f"{one['rule']}: {one['html'][:300]} {one['why']}"
        for one in found
        if one["impact"] in GRAVE
        and not any(one["rule"] == known.rule and known.within in one["within"] for known in NOT_OURS)
    ]


@cache
def _axe() -> str:
    import axe_playwright_python

    return Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")

"""Every text of the interface exists in every language."""

import ast
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from app.ui.words import FOLDER, LANGUAGES, Words, best_language, catalogue

UI = FOLDER.parent
OTHERS = [language for language in LANGUAGES if language != "en"]


def in_code(path: Path) -> set[str]:
    """What is said with `t("...")` or marked with `N_("...")`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            first = node.args[0]
            if called in ("t", "words", "N_") and isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.add(first.value)
    return found


def in_template(path: Path) -> set[str]:
    tree = Environment(autoescape=True).parse(path.read_text(encoding="utf-8"))
    return {
        call.args[0].value
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name == "t" and isinstance(call.args[0], nodes.Const)
    }


def said() -> set[str]:
    found: set[str] = set()
    for path in UI.rglob("*.py"):
        found |= in_code(path)
    for path in UI.rglob("*.j2"):
        found |= in_template(path)
    return found


@pytest.mark.parametrize("language", OTHERS)
def test_each_text_is_in_the_catalogue_and_nothing_else(language: str) -> None:
    texts = said()
    assert "Sign in" in texts
    assert sorted(texts - catalogue(language).keys()) == []
    assert sorted(catalogue(language).keys() - texts) == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_fills_in_what_the_text_does(language: str) -> None:
    def names(text: str) -> set[str]:
        return {part.split("}")[0] for part in text.split("{")[1:]}

    wrong = [text for text, other in catalogue(language).items() if names(text) != names(other)]
    assert wrong == []


@pytest.mark.parametrize(
    ("wanted", "language"),
    [(["zh-TW"], "zh_TW"), (["zh-HK", "en"], "zh_TW"), (["fr", "en-GB"], "en"), (["de"], "en"), ([], "en")],
)
def test_the_language_is_the_best_for_the_browser(wanted: list[str], language: str) -> None:
    assert best_language(wanted) == language


def test_numbers_and_times_are_those_of_the_place() -> None:
    noon = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    assert Words("en").number(1234567.5, 1) == "1,234,567.5"
    assert Words("en").percent(0.8765) == "87.6%"
    assert "8:00" in Words("en", "Asia/Taipei").moment(noon)
    assert Words("zh_TW", "Asia/Taipei").moment(noon) == "2026年1月31日 晚上8:00:00"
    assert Words("zh_TW").duration(90) == "90 秒"
    assert Words("en").size(12_345_678) == "12.3 MB"

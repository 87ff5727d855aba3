"""Every text of the interface exists in every language."""

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest
from jinja2 import Environment, nodes

from app.domain.data_report import FindingCode
from app.domain.task import Stage, TaskKind, TaskState
from app.domain.train_config import TrainConfig
from app.domain.wording import Sentence, say
from app.services.configuration_help import leaf_keys
from app.ui.components.config_words import FIELDS
from app.ui.components.finding_words import TITLES
from app.ui.components.problem_words import PROBLEMS
from app.ui.components.task_words import FAILURES, KINDS, STAGES, STATES
from app.ui.words import FOLDER, LANGUAGES, Words, best_language, catalogue
from tests.ui import platform_words

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
    return found | platform_words.patterns() | platform_words.names()


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


def test_whatever_the_platform_names_by_a_code_has_words_of_its_own() -> None:
    assert platform_words.codes() - PROBLEMS.keys() - FAILURES.keys() == set()
    assert set(get_args(FindingCode)) == TITLES.keys()
    assert set(TaskState) == STATES.keys()
    assert set(Stage) == STAGES.keys()
    assert set(TaskKind) == KINDS.keys()
    assert {".".join(key) for key in leaf_keys(TrainConfig)} - FIELDS.keys() == set()


def test_no_sentence_of_an_error_hides_the_numbers_and_names_in_it() -> None:
    assert platform_words.unsaid() == []


def test_a_sentence_of_the_platform_is_said_in_the_language_of_the_reader() -> None:
    rows = say("{count:,} rows", count=1234)
    found = say(
        "{rows} with a label that the training data does not have: {labels}{more}",
        rows=rows,
        labels=["a", "b"],
        more="",
    )
    assert found == "1,234 rows with a label that the training data does not have: a, b"
    assert Words("zh_TW").told(found) == "1,234 筆的標籤在訓練資料中沒有：a、b"
    assert Words("zh_TW").told("decide on one label for each text") == "為每段文字決定一個標籤"
    assert Words("en").told(found) == found


def test_a_sentence_of_another_version_of_the_platform_is_shown_as_it_came() -> None:
    t = Words("zh_TW")
    assert t.told("a bell rang", Sentence(pattern="a {what} rang", values={"what": "bell"})) == "a bell rang"
    assert t.told("7 rows", Sentence(pattern="{count:,} rows", values={})) == "7 rows"
    assert t.told("7 rows", Sentence(pattern="{count:,} rows", values={"count": "seven"})) == "7 rows"
    assert not t.knows("a bell rang")

"""Labelled data on a server: what a file is and what is stored, told as it is told here."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api_server import ApiServer

Finetune = Callable[..., Any]


@pytest.fixture
def reviews_1(own_reviews: Any, api_server: ApiServer) -> None:
    """A stored data set."""
    own_reviews(api_server.platform, "ada")


STORED = [
    ("list",),
    ("list", "--json"),
    ("show", "reviews"),
    ("show", "reviews@1", "--json"),
    ("diff", "reviews@1", "reviews", "--json"),
    ("profile", "reviews@1"),
]


def test_stored_data_is_the_same(both: Any, reviews_1: None) -> None:
    for words in STORED:
        assert both("data", *words).status == 0, words


def test_a_file_is_judged_the_same(both: Any, reviews: Path) -> None:
    assert "ready for training" in both("data", "validate", str(reviews)).out
    reviews.write_text("text,label\na,x\nb,x\n", encoding="utf-8")
    answer = both("data", "validate", str(reviews), "--json")
    found = json.loads(answer.out)
    assert (answer.status, found["file"], found["rows"], found["ok"]) == (1, str(reviews), 2, False)


def test_a_file_becomes_a_version_there_as_here(
    finetune: Finetune, there: Finetune, reviews: Path, tmp_path: Path
) -> None:
    here = finetune("data", "add", str(reviews), "--name", "here")
    over_http = there("data", "add", str(reviews), "--name", "there")
    assert (over_http.status, over_http.err) == (0, here.err)
    assert over_http.out.replace("there@1", "here@1") == here.out
    reviews.write_text(reviews.read_text() + "something new,good\n", encoding="utf-8")
    again = there("data", "add", str(reviews), "--name", "there", "--json")
    assert (json.loads(again.out)["added"], json.loads(again.out)["number"]) == (True, 2)
    for words in (("there@1", "there@2"), ("there@2", "here@1")):
        assert there("data", "diff", *words, "--json").out == finetune("data", "diff", *words, "--json").out
    for where, run in (("here", finetune), ("there", there)):
        run("data", "export", "there@2", "--split", "train", "--out", str(tmp_path / f"{where}.csv"))
    assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    assert there("data", "remove", "there@2").status == 0
    assert there("data", "show", "there@2").status == 2


def test_data_that_blocks_is_not_stored(there: Finetune, reviews: Path) -> None:
    reviews.write_text("text,label\na,x\nb,x\n", encoding="utf-8")
    answer = there("data", "add", str(reviews), "--name", "bad")
    assert answer.status == 1
    assert "not ready for training" in answer.out
    assert "single_class" in answer.err
    assert json.loads(there("data", "list", "--json").out) == []


def test_a_column_that_could_be_one_of_several_names_them(both: Any, tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    rows = [f"a long sentence about {n},another long sentence on {n},{'yes' if n % 2 else 'no'}" for n in range(40)]
    path.write_text("text,sentence,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    answer = both("data", "validate", str(path))
    assert answer.status == 2
    assert "'sentence'" in answer.err


IMPOSSIBLE = [
    ("data", "validate", "no-such.csv"),
    ("data", "add", "hub:someone/data", "--name", "x"),
    ("data", "profile", "no-such.csv"),
    ("data", "show", "../x"),
    ("data", "diff", "nope@1", "nope@2"),
    ("data", "export", "reviews@1", "--out", "x.doc"),
    ("train", "--data", "no-such.csv"),
    ("train",),
    ("train", "--resume", "nope"),
    ("train", "--plan", "plan.json"),
]


def test_what_cannot_be_is_said_in_one_line_with_a_hint(there: Finetune) -> None:
    for words in IMPOSSIBLE:
        answer = there(*words)
        assert answer.status == 2, (words, answer.err)
        error, hint = answer.err.splitlines()
        assert error.startswith("error: "), words
        assert hint.startswith("  hint: "), words

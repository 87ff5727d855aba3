"""Near duplicates: what counts as one, and that hardly any is missed."""

import csv
import random
from itertools import combinations
from pathlib import Path

import pytest

from app.data.near_duplicates import (
    MIN_SIMILARITY,
    _bare,
    _shingle_set,
    _similarity,
    near_duplicate_groups,
    near_duplicate_pairs,
)

SENTENCE = "The bus tour was well organised and the guide showed us every corner of the old town"


@pytest.mark.parametrize(
    "other",
    [
        SENTENCE.upper() + "!!!",
        SENTENCE.replace("every", "each"),
        SENTENCE + " twice",
        "Re: " + SENTENCE,
    ],
)
def test_a_small_change_leaves_a_near_duplicate(other: str) -> None:
    assert near_duplicate_groups(["Something else entirely, about the weather", SENTENCE, other]) == [[1, 2]]


@pytest.mark.parametrize(
    "other", ["", "!!!", "The bus", SENTENCE[::-1], "The guide was late and the town had no corner we had not seen"]
)
def test_another_text_is_none(other: str) -> None:
    assert near_duplicate_groups([SENTENCE, other]) == []


def test_chinese_sentences_are_compared_by_pairs_of_characters() -> None:
    first = "這家店的豬排外酥內嫩，高麗菜還可以續盤，老闆很親切，下次會再來。"
    assert near_duplicate_groups([first, "房間很小，隔音也差。", first.replace("很親切", "真親切")]) == [[0, 2]]


def test_no_texts_and_texts_without_letters_have_none() -> None:
    assert near_duplicate_groups([]) == []
    assert near_duplicate_groups(["", "...", "?!", "..."]) == []


def test_a_chain_of_like_texts_is_one_group() -> None:
    words = [f"word{number:02}" for number in range(40)]
    chain = [" ".join([*words[shift:], *[f"other{number:02}" for number in range(shift)]]) for shift in range(0, 6, 2)]
    assert near_duplicate_groups(chain) == [[0, 1, 2]]


def test_a_crowd_of_equal_texts_needs_no_pair_of_each() -> None:
    pairs = near_duplicate_pairs([SENTENCE] * 3000)
    assert len(pairs) < 3 * 3000
    assert near_duplicate_groups([SENTENCE] * 3000) == [list(range(3000))]


def test_every_pair_named_is_alike_and_nearly_every_pair_alike_is_named(assets: Path) -> None:
    with (assets / "data" / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = [row["text"] for row in csv.DictReader(file)]
    texts = rows[:1200]
    shingles = [_shingle_set(_bare(text)) for text in texts]
    alike = {
        (a, b) for a, b in combinations(range(len(texts)), 2) if _similarity(shingles[a], shingles[b]) >= MIN_SIMILARITY
    }
    found = set(map(tuple, near_duplicate_pairs(texts).tolist()))
    assert len(alike) > 10
    assert found <= alike
    assert len(found) >= 0.98 * len(alike)


def test_planted_edits_are_found_again(assets: Path) -> None:
    lines = (assets / "data" / "sst2" / "train.tsv").read_text(encoding="utf-8").splitlines()[:3000]
    texts = [line.split("\t")[0] for line in lines]
    generator = random.Random(5)
    long = [i for i, text in enumerate(texts) if len(text) > 100]
    planted = {}
    for i in generator.sample(long, 100):
        words = texts[i].split()
        del words[generator.randrange(len(words))]
        planted[len(texts)] = i
        texts.append(" ".join(words))
    together = {frozenset(pair) for group in near_duplicate_groups(texts) for pair in combinations(group, 2)}
    num_found = sum(frozenset(pair) in together for pair in planted.items())
    assert num_found >= 90

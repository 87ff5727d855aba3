from collections import Counter, defaultdict
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from app.data.splitting import fold, split

ROWS = st.lists(st.tuples(st.sampled_from(["a", "A ", "b", "c c", "C  c", "d", "e", "f", "g"]), st.sampled_from("xyz")))
FRACTIONS = st.floats(0.01, 0.5)
SEEDS = st.integers(0, 2**32 - 1)


def _columns(rows: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [text for text, _ in rows], [label for _, label in rows]


@given(ROWS, FRACTIONS, SEEDS)
def test_every_row_is_on_exactly_one_side(rows: list[tuple[str, str]], fraction: float, seed: int) -> None:
    train, held_out = split(*_columns(rows), fraction, seed)
    assert sorted(train + held_out) == list(range(len(rows)))


@given(ROWS, FRACTIONS, SEEDS)
def test_texts_that_fold_to_the_same_are_on_one_side(rows: list[tuple[str, str]], fraction: float, seed: int) -> None:
    texts, labels = _columns(rows)
    train, held_out = split(texts, labels, fraction, seed)
    assert {fold(texts[i]) for i in train}.isdisjoint(fold(texts[i]) for i in held_out)


@given(ROWS, FRACTIONS, SEEDS)
def test_every_label_keeps_a_row_in_train(rows: list[tuple[str, str]], fraction: float, seed: int) -> None:
    texts, labels = _columns(rows)
    train, _ = split(texts, labels, fraction, seed)
    assert {labels[i] for i in train} == set(labels)


@given(ROWS, FRACTIONS, SEEDS)
def test_a_label_with_two_texts_of_its_own_is_in_eval(rows: list[tuple[str, str]], fraction: float, seed: int) -> None:
    texts, labels = _columns(rows)
    labels_of = defaultdict(set)
    for text, label in rows:
        labels_of[fold(text)].add(label)
    own = Counter(next(iter(names)) for names in labels_of.values() if len(names) == 1)
    _, held_out = split(texts, labels, fraction, seed)
    assert {label for label, count in own.items() if count >= 2} <= {labels[i] for i in held_out}


@given(ROWS, SEEDS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_change_what_is_held_out(
    rows: list[tuple[str, str]], seed: int, random: Random
) -> None:
    def held_out(ordered: list[tuple[str, str]]) -> set[str]:
        texts, labels = _columns(ordered)
        return {fold(texts[i]) for i in split(texts, labels, 0.2, seed)[1]}

    assert held_out(random.sample(rows, len(rows))) == held_out(rows)


def test_shares_of_labels_are_kept() -> None:
    texts = [f"text {i}" for i in range(1000)]
    labels = ["rare" if i % 10 == 0 else "common" for i in range(1000)]
    train, held_out = split(texts, labels, 0.1, 42)
    assert Counter(labels[i] for i in held_out) == {"common": 90, "rare": 10}
    assert train == sorted(train)


def test_another_seed_holds_out_other_texts() -> None:
    texts, labels = [f"text {i}" for i in range(100)], ["a", "b"] * 50
    assert split(texts, labels, 0.1, 1)[1] != split(texts, labels, 0.1, 2)[1]
    assert split(texts, labels, 0.1, 1) == split(texts, labels, 0.1, 1)

from collections import Counter, defaultdict
from random import Random

from hypothesis import assume, given
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


ADDED = st.lists(st.tuples(st.sampled_from(["h", "H", "i j", "k", "l"]), st.sampled_from("xyzw")))
KEPT = st.dictionaries(st.sampled_from(["a", "b", "c c", "d", "e", "f", "g"]), st.sampled_from(["train", "eval"]))


def _sides(rows: list[tuple[str, str]], train: list[int], held_out: list[int]) -> dict[str, str]:
    return {fold(rows[i][0]): side for side, indices in (("train", train), ("eval", held_out)) for i in indices}


@given(ROWS, ADDED, FRACTIONS, SEEDS, SEEDS)
def test_rows_stay_in_their_split_when_rows_are_added(
    rows: list[tuple[str, str]], added: list[tuple[str, str]], fraction: float, seed: int, other_seed: int
) -> None:
    train, held_out = split(*_columns(rows), fraction, seed)
    assume(held_out)
    before = _sides(rows, train, held_out)
    mixed = rows + added
    Random(seed).shuffle(mixed)
    after = _sides(mixed, *split(*_columns(mixed), fraction, other_seed, before))
    assert {text: after[text] for text in before} == before


@given(ROWS, KEPT, FRACTIONS, SEEDS)
def test_whatever_is_kept_every_label_keeps_a_row_in_train_and_like_texts_one_side(
    rows: list[tuple[str, str]], kept: dict[str, str], fraction: float, seed: int
) -> None:
    texts, labels = _columns(rows)
    train, held_out = split(texts, labels, fraction, seed, kept)
    assert sorted(train + held_out) == list(range(len(rows)))
    assert {labels[i] for i in train} == set(labels)
    assert {fold(texts[i]) for i in train}.isdisjoint(fold(texts[i]) for i in held_out)


def test_where_every_old_evaluation_row_is_gone_others_are_held_out() -> None:
    rows = [(f"text {i}", "xy"[i % 2]) for i in range(20)]
    _, held_out = split(*_columns(rows), 0.1, 1, {fold(text): "train" for text, _ in rows})
    assert len(held_out) == 2


def test_rows_added_bit_by_bit_keep_the_share_held_out() -> None:
    rows: list[tuple[str, str]] = []
    kept: dict[str, str] = {}
    for step in range(30):
        rows += [(f"text {step} {i}", "xy"[i % 2]) for i in range(6)]
        train, held_out = split(*_columns(rows), 0.1, 1, kept)
        kept = _sides(rows, train, held_out)
    assert 16 <= len(held_out) <= 20


def test_near_duplicates_of_texts_kept_on_two_sides_leave_both_where_they_are() -> None:
    texts = [f"text number {number} of many" for number in range(30)]
    labels = ["a" if number % 2 else "b" for number in range(30)]
    kept = {fold(texts[0]): "eval", fold(texts[2]): "train"}
    for seed in range(10):
        train, held_out = split(texts, labels, 0.2, seed, kept, alike=[[0, 2, 4]])
        assert 0 in held_out
        assert 2 in train


def test_a_new_near_duplicate_joins_the_side_of_the_text_that_is_kept() -> None:
    texts = [f"text number {number} of many" for number in range(30)]
    labels = ["a" if number % 2 else "b" for number in range(30)]
    for seed in range(10):
        _, held_out = split(texts, labels, 0.2, seed, {fold(texts[6]): "eval"}, alike=[[2, 6]])
        assert {2, 6} <= set(held_out)


def test_a_crowd_of_near_duplicates_stays_on_one_side_unless_it_is_most_of_the_rows() -> None:
    texts = [f"text {n}" for n in range(100)]
    labels = ["a", "b"] * 50
    for size, together in ((40, True), (80, False)):
        sides = [split(texts, labels, 0.2, seed, alike=[range(size)])[1] for seed in range(5)]
        divided = [0 < sum(row < size for row in held_out) < size for held_out in sides]
        assert any(divided) is not together

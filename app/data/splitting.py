"""One set of labelled texts -> train and eval rows: by seed, stratified, duplicates never on both sides."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence


def fold(text: str) -> str:
    """What two texts have in common when they differ only by case or white space."""
    return " ".join(text.casefold().split())


def split(texts: Sequence[str], labels: Sequence[str], eval_fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices of train and eval rows, each ascending.

    Texts that fold to the same are kept together. A label with two different texts or more keeps at least one row in
    train, and has one in eval unless its texts are shared with other labels that need them. Which texts are held out
    depends on the seed and the texts, not on their order.
    """
    rows_of: dict[str, list[int]] = defaultdict(list)
    for index, text in enumerate(texts):
        rows_of[fold(text)].append(index)
    groups_of: dict[str, list[str]] = defaultdict(list)
    label_sizes: dict[str, int] = defaultdict(int)
    for key, rows in rows_of.items():
        for label in {labels[row] for row in rows}:
            groups_of[label].append(key)
        for row in rows:
            label_sizes[labels[row]] += 1
    held_out = _hold_out(rows_of, groups_of, label_sizes, labels, eval_fraction, seed)
    eval_rows = sorted(row for key in held_out for row in rows_of[key])
    chosen = set(eval_rows)
    return [row for row in range(len(texts)) if row not in chosen], eval_rows


def _hold_out(
    rows_of: dict[str, list[int]],
    groups_of: dict[str, list[str]],
    label_sizes: dict[str, int],
    labels: Sequence[str],
    eval_fraction: float,
    seed: int,
) -> set[str]:
    """The groups of like texts that go to eval: rare labels choose first, in an order drawn by seed."""
    salt = seed.to_bytes(8, "big")

    def draw(key: str) -> bytes:
        return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16, key=salt).digest()

    left_in_train = {label: len(groups) for label, groups in groups_of.items()}
    held_out: set[str] = set()
    num_held: dict[str, int] = defaultdict(int)

    def move(key: str) -> None:
        held_out.add(key)
        for row in rows_of[key]:
            num_held[labels[row]] += 1
        for label in {labels[row] for row in rows_of[key]}:
            left_in_train[label] -= 1

    def movable(key: str) -> bool:
        return key not in held_out and all(left_in_train[labels[row]] > 1 for row in rows_of[key])

    for label in sorted(groups_of, key=lambda name: (len(groups_of[name]), name)):
        wanted = max(1, round(label_sizes[label] * eval_fraction))
        drawn = sorted(groups_of[label], key=draw)
        for key in drawn:
            if num_held[label] >= wanted:
                break
            if num_held[label] + len(rows_of[key]) <= wanted and movable(key):
                move(key)
        if num_held[label] == 0:
            candidates = [key for key in drawn if movable(key)]
            if candidates:
                move(min(candidates, key=lambda key: len(rows_of[key])))
    return held_out

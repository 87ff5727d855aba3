"""One set of labelled texts -> train and eval rows: by seed, stratified, duplicates (near ones too) on one side."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence


def fold(text: str) -> str:
    """What two texts have in common when they differ only by case or white space."""
    return " ".join(text.casefold().split())


def fold_key(text: str) -> bytes:
    """16 bytes that stand for the folded text where very many are compared."""
    return hashlib.blake2b(fold(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()


MAX_SHARE_TOGETHER = 0.5
"""A crowd of near duplicates with a larger share of the rows is the pattern of the data; it may be divided."""


def split(
    texts: Sequence[str],
    labels: Sequence[str],
    eval_fraction: float,
    seed: int,
    kept: Mapping[str, str] | None = None,
    *,
    alike: Iterable[Sequence[int]] = (),
) -> tuple[list[int], list[int]]:
    """Indices of train and eval rows, each ascending.

    `kept` maps folded texts of an earlier version to their split there (train or eval), where they stay, unless that
    would leave a label without a row to train on or nothing to evaluate on; the share held out counts them.

    Texts that fold to the same are kept together, and so are the rows of each group in `alike` (near duplicates) up to
    MAX_SHARE_TOGETHER of the rows, unless all a label has would then belong together. A label with two different texts
    or more keeps at least one row in train, and has one in eval unless its texts are shared with other labels that need
    them. Which texts are held out depends on the seed and the texts, not on their order.
    """
    kept = kept or {}
    folded = [fold(text) for text in texts]
    keys = _keep_together(folded, labels, alike, kept)
    side_of = {key: kept[text] for key, text in zip(keys, folded, strict=True) if text in kept}
    rows_of: dict[str, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        rows_of[key].append(index)
    groups_of: dict[str, list[str]] = defaultdict(list)
    label_sizes: dict[str, int] = defaultdict(int)
    for key, rows in rows_of.items():
        for label in {labels[row] for row in rows}:
            groups_of[label].append(key)
        for row in rows:
            label_sizes[labels[row]] += 1
    held_out = _hold_out(rows_of, groups_of, label_sizes, labels, eval_fraction, seed, side_of)
    if side_of and not held_out:
        held_out = _hold_out(rows_of, groups_of, label_sizes, labels, eval_fraction, seed, {})
    eval_rows = sorted(row for key in held_out for row in rows_of[key])
    chosen = set(eval_rows)
    return [row for row in range(len(texts)) if row not in chosen], eval_rows


def _keep_together(
    keys: list[str], labels: Sequence[str], alike: Iterable[Sequence[int]], kept: Mapping[str, str]
) -> list[str]:
    """One key for all rows of a group: the least of theirs, so that it depends on the texts and not on their order.

    Groups are left apart where joining them would leave a label a single group, or join texts kept on two sides.
    """
    small = [group for group in alike if len(group) <= MAX_SHARE_TOGETHER * len(keys)]
    groups = [group for group in small if len({kept[keys[row]] for row in group if keys[row] in kept}) < 2]
    joined = _joined(keys, groups)
    before, after = _num_groups(keys, labels), _num_groups(joined, labels)
    glued = {label for label, count in after.items() if count < 2 <= before[label]}
    if not glued:
        return joined
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        rows_of[key].append(row)
    harmless = [g for g in groups if not any(labels[row] in glued for member in g for row in rows_of[keys[member]])]
    return _joined(keys, harmless)


def _joined(keys: list[str], groups: Iterable[Sequence[int]]) -> list[str]:
    one_of: dict[str, str] = {}
    for group in groups:
        members = {keys[row] for row in group}
        one_of.update(dict.fromkeys(members, min(members)))
    return [one_of.get(key, key) for key in keys]


def _num_groups(keys: Sequence[str], labels: Sequence[str]) -> Counter[str]:
    return Counter(label for _, label in set(zip(keys, labels, strict=True)))


class _Sides:
    """Which groups of like texts are held out so far, and what that leaves of each label."""

    def __init__(
        self, rows_of: Mapping[str, list[int]], groups_of: Mapping[str, list[str]], labels: Sequence[str]
    ) -> None:
        self.rows_of, self.labels = rows_of, labels
        self.left_in_train = {label: len(groups) for label, groups in groups_of.items()}
        self.held_out: set[str] = set()
        self.num_held: dict[str, int] = defaultdict(int)

    def movable(self, key: str) -> bool:
        """Whether the group is in train and every label of it has another group there."""
        return key not in self.held_out and all(self.left_in_train[self.labels[row]] > 1 for row in self.rows_of[key])

    def move(self, key: str) -> None:
        """Hold the group out."""
        self.held_out.add(key)
        for row in self.rows_of[key]:
            self.num_held[self.labels[row]] += 1
        for label in {self.labels[row] for row in self.rows_of[key]}:
            self.left_in_train[label] -= 1


def _hold_out(
    rows_of: dict[str, list[int]],
    groups_of: dict[str, list[str]],
    label_sizes: dict[str, int],
    labels: Sequence[str],
    eval_fraction: float,
    seed: int,
    kept: Mapping[str, str],
) -> set[str]:
    """The groups of like texts that go to eval: kept ones, then rare labels choose first, in an order drawn by seed."""
    salt = seed.to_bytes(8, "big")

    def draw(key: str) -> bytes:
        return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16, key=salt).digest()

    sides = _Sides(rows_of, groups_of, labels)
    for key in sorted((key for key in rows_of if kept.get(key) == "eval"), key=draw):
        if sides.movable(key):
            sides.move(key)
    for label in sorted(groups_of, key=lambda name: (len(groups_of[name]), name)):
        wanted = max(1, round(label_sizes[label] * eval_fraction))
        drawn = sorted((key for key in groups_of[label] if kept.get(key) not in ("train", "eval")), key=draw)
        for key in drawn:
            if sides.num_held[label] >= wanted:
                break
            if sides.num_held[label] + len(rows_of[key]) <= wanted and sides.movable(key):
                sides.move(key)
        if sides.num_held[label] == 0:
            candidates = [key for key in drawn if sides.movable(key)]
            if candidates:
                sides.move(min(candidates, key=lambda key: len(rows_of[key])))
    return sides.held_out

"""Findings on texts that occur more than once: repeated, nearly repeated, with several labels, or seen in training."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from app.data.findings import MAX_EXAMPLES, Findings, rows_in_words
from app.data.near_duplicates import MIN_SIMILARITY, near_duplicate_groups, near_duplicate_pairs


def repeated_texts(findings: Findings, usable: list[int], folded: Sequence[str], labels: Sequence[str]) -> None:
    """Rows that repeat an earlier row's text, with its label or with another."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, key in enumerate(folded):
        places[key].append(place)
    repeated, conflicting, num_texts = [], [], 0
    for same in places.values():
        if len(same) == 1:
            continue
        if len({labels[place] for place in same}) > 1:
            num_texts += 1
            conflicting += same
        seen: set[str] = set()
        for place in same:
            if labels[place] in seen:
                repeated.append(place)
            seen.add(labels[place])
    if repeated:
        indices = sorted(usable[place] for place in repeated)
        findings.add(
            "duplicate",
            f"{rows_in_words(len(indices))} repeating the text and label of an earlier row",
            "remove the repetitions unless they are meant; a split never puts them on both sides",
            indices,
            examples=(findings.rows.texts[i] for i in indices[:MAX_EXAMPLES]),
        )
    if conflicting:
        indices = sorted(usable[place] for place in conflicting)
        findings.add(
            "conflicting_label",
            f"{num_texts:,} {'text' if num_texts == 1 else 'texts'} with more than one label",
            "decide on one label for each text",
            indices,
            examples=(f"{findings.rows.labels[i]}: {findings.rows.texts[i]}" for i in indices[:MAX_EXAMPLES]),
        )


def near_duplicates(findings: Findings, usable: list[int], folded: Sequence[str]) -> list[list[int]]:
    """Note rows nearly equal to an earlier one; groups of near duplicates as places in `usable`, equal texts apart."""
    first_of: dict[str, int] = {}
    for place, key in enumerate(folded):
        first_of.setdefault(key, place)
    distinct = list(first_of.values())
    groups = [[distinct[i] for i in group] for group in near_duplicate_groups([folded[place] for place in distinct])]
    later = sorted((place, group[0]) for group in groups for place in group[1:])
    if later:
        texts, numbers = findings.rows.texts, findings.rows.numbers
        labels = findings.rows.labels
        num_torn = sum(labels[usable[place]] != labels[usable[first]] for place, first in later)
        findings.add(
            "near_duplicate",
            f"{rows_in_words(len(later))} nearly equal to another row ({MIN_SIMILARITY:.0%} of their letter groups)"
            + (f", {num_torn:,} of them with another label" if num_torn else ""),
            "keep one of each group unless the small difference matters; a split never puts them on both sides",
            [usable[place] for place, _ in later],
            examples=(
                f"row {numbers[usable[first]]}: {texts[usable[first]]} / row {numbers[usable[place]]}: "
                f"{texts[usable[place]]}"
                for place, first in later[:MAX_EXAMPLES]
            ),
        )
    return groups


def leakage(findings: Findings, usable: list[int], folded: Sequence[str], training: Iterable[str]) -> None:
    """Rows of an eval or test file whose text is also, or nearly, among the folded texts of the training file."""
    known = dict.fromkeys(training)
    equal = {place for place, key in enumerate(folded) if key in known}
    others = [place for place in range(len(folded)) if place not in equal]
    pairs = near_duplicate_pairs([*known, *(folded[place] for place in others)])
    crossing = pairs[(pairs[:, 0] < len(known)) & (pairs[:, 1] >= len(known))]
    near = {others[index] for index in set((crossing[:, 1] - len(known)).tolist())}
    if equal or near:
        leaked = [usable[place] for place in sorted(equal | near)]
        findings.add(
            "leakage",
            f"{rows_in_words(len(leaked))} ({len(leaked) / len(usable):.1%}) whose text is also in the training data"
            + (f", {len(near):,} of them with small differences" if near else ""),
            "remove them here or there; scores on rows seen in training are too good",
            leaked,
            examples=(findings.rows.texts[i] for i in leaked[:MAX_EXAMPLES]),
        )

"""Findings on texts that occur more than once: repeated, nearly repeated, with several labels, or seen in training."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from app.data.findings import MAX_EXAMPLES, Findings, rows_in_words
from app.data.near_duplicates import MIN_SIMILARITY, Sketches, near_duplicate_groups, near_duplicate_pairs, sketch
from app.data.splitting import MAX_SHARE_TOGETHER, fold_key
from app.data.spool import Joined, select
from app.domain.wording import say

ONE_SIDE = say("a split never puts them on both sides")


def repeated_texts(findings: Findings, usable: list[int], keys: Sequence[bytes], labels: Sequence[str]) -> None:
    """Rows that repeat an earlier row's text, with its label or with another."""
    places: dict[bytes, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
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
            say("{rows} repeating the text and label of an earlier row", rows=rows_in_words(len(indices))),
            say("remove the repetitions unless they are meant; {one_side}", one_side=ONE_SIDE),
            indices,
            examples=(findings.rows.texts[i] for i in indices[:MAX_EXAMPLES]),
        )
    if conflicting:
        indices = sorted(usable[place] for place in conflicting)
        findings.add(
            "conflicting_label",
            say(
                "1 text with more than one label" if num_texts == 1 else "{texts:,} texts with more than one label",
                texts=num_texts,
            ),
            "decide on one label for each text",
            indices,
            examples=(f"{findings.rows.labels[i]}: {findings.rows.texts[i]}" for i in indices[:MAX_EXAMPLES]),
        )


def near_duplicates(findings: Findings, usable: list[int], keys: Sequence[bytes]) -> list[list[int]]:
    """Note rows nearly equal to an earlier one; groups of near duplicates as places in `usable`, equal texts apart."""
    first_of: dict[bytes, int] = {}
    for place, key in enumerate(keys):
        first_of.setdefault(key, place)
    distinct = list(first_of.values())
    texts = select(findings.rows.texts, [usable[place] for place in distinct])
    groups = [[distinct[i] for i in group] for group in near_duplicate_groups(texts)]
    later = sorted((place, group[0]) for group in groups for place in group[1:])
    if later:
        texts, numbers = findings.rows.texts, findings.rows.numbers
        labels = findings.rows.labels
        num_torn = sum(labels[usable[place]] != labels[usable[first]] for place, first in later)
        crowd = max(map(len, groups)) > MAX_SHARE_TOGETHER * len(usable)
        divided = say("the largest group is over half of the rows, so a split divides it")
        sides = divided if crowd else ONE_SIDE
        findings.add(
            "near_duplicate",
            say(
                "{rows} nearly equal to another row ({share:.0%} of their letter groups){torn}",
                rows=rows_in_words(len(later)),
                share=MIN_SIMILARITY,
                torn=say(", {count:,} of them with another label", count=num_torn) if num_torn else "",
            ),
            say("keep one of each group unless the small difference matters; {sides}", sides=sides),
            [usable[place] for place, _ in later],
            examples=(
                say(
                    "row {row}: {text} / row {other_row}: {other}",
                    row=numbers[usable[first]],
                    text=texts[usable[first]],
                    other_row=numbers[usable[place]],
                    other=texts[usable[place]],
                )
                for place, first in later[:MAX_EXAMPLES]
            ),
        )
    return groups


@dataclass(frozen=True)
class Training:
    """The different texts of a training file, to hold others against: by key, and by what is like them."""

    keys: frozenset[bytes]
    texts: Sequence[str]

    @cached_property
    def sketches(self) -> Sketches:
        """Made once for all files that are held against it."""
        return sketch(self.texts)

    @classmethod
    def of(cls, texts: Sequence[str]) -> Self:
        """Of usable texts, repeated or not."""
        first_of: dict[bytes, int] = {}
        for place, text in enumerate(texts):
            first_of.setdefault(fold_key(text), place)
        return cls(frozenset(first_of), select(texts, list(first_of.values())))


def leakage(findings: Findings, usable: list[int], keys: Sequence[bytes], training: Training, what: str) -> None:
    """Rows of an eval or test file whose text is also, or nearly, in another: `what` it is called."""
    equal = {place for place, key in enumerate(keys) if key in training.keys}
    others = [place for place in range(len(keys)) if place not in equal]
    mine = select(findings.rows.texts, [usable[place] for place in others])
    num_known = len(training.texts)
    pairs = near_duplicate_pairs(Joined(training.texts, mine), training.sketches + sketch(mine))
    crossing = pairs[(pairs[:, 0] < num_known) & (pairs[:, 1] >= num_known)]
    near = {others[index] for index in set((crossing[:, 1] - num_known).tolist())}
    if equal or near:
        leaked = [usable[place] for place in sorted(equal | near)]
        findings.add(
            "leakage",
            say(
                "{rows} ({share:.1%}) whose text is also in the {what} data{near}",
                rows=rows_in_words(len(leaked)),
                share=len(leaked) / len(usable),
                what=say(what),
                near=say(", {count:,} of them with small differences", count=len(near)) if near else "",
            ),
            "remove them here or there",
            leaked,
            examples=(findings.rows.texts[i] for i in leaked[:MAX_EXAMPLES]),
        )

"""Findings on the labels of a file as a whole: too few, too rare, too uneven, in order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from app.data.findings import MAX_EXAMPLES, Findings, rows_in_words
from app.data.labels import label_order
from app.domain.wording import say

IMBALANCE_RATIO = 5
IMBALANCE_POINTS = 0.15
"""Labels are uneven where one has so many times the rows of another, or where always answering the most frequent one
beats an even guess by so much."""

MIN_ROWS_TO_JUDGE_ORDER = 20
SORTED_SHARE = 0.1
"""Rows count as sorted when there are fewer runs of equal labels than this share of those a random order has."""


def texts_per_label(keys: Sequence[bytes], labels: Sequence[str]) -> dict[str, int]:
    """Number of different texts of each label."""
    return Counter(label for _, label in set(zip(keys, labels, strict=True)))


def classes(findings: Findings, counts: Counter[str], num_texts: Mapping[str, int], to_split: bool) -> None:
    """Single class, classes too small to split, imbalance."""
    if len(counts) < 2:
        texts = findings.rows.texts
        findings.add(
            "single_class",
            say("there is only one label, '{label}'", label=next(iter(counts)))
            if counts
            else "there is no row with both text and label",
            "give rows of at least two labels",
            numbers=findings.rows.numbers[:1] if counts else [],
            count=counts.total(),
            examples=texts[:MAX_EXAMPLES] if counts else (),
        )
        return
    _tiny_classes(findings, counts, num_texts, to_split)
    most, least = counts.most_common()[0], counts.most_common()[-1]
    guess = most[1] / counts.total()
    if most[1] >= IMBALANCE_RATIO * least[1] or guess - 1 / len(counts) >= IMBALANCE_POINTS:
        rare = [i for i, label in enumerate(findings.rows.labels) if label == least[0]]
        findings.add(
            "imbalance",
            say(
                "'{label}' has {rows}, '{rare}' only {rare_rows}; always answering '{label}' would be "
                "right for {guess:.1%} of the rows",
                label=most[0],
                rows=rows_in_words(most[1]),
                rare=least[0],
                rare_rows=rows_in_words(least[1]),
                guess=guess,
            ),
            "give more rows of the rare labels, or set training.label_weights=balanced; judge by macro F1",
            rare,
            count=least[1],
            examples=(f"{least[0]}: {findings.rows.texts[i]}" for i in rare[:MAX_EXAMPLES]),
        )


def _tiny_classes(findings: Findings, counts: Counter[str], num_texts: Mapping[str, int], to_split: bool) -> None:
    tiny = [label for label in label_order(counts) if num_texts[label] < 2]
    if not tiny:
        return
    named = ", ".join(f"'{label}'" for label in tiny[:5]) + (", ..." if len(tiny) > 5 else "")
    nothing_left = to_split and len(tiny) == len(counts)
    consequence = say(
        "nothing can be held out for evaluation" if nothing_left else "it cannot be held out and measured"
    )
    members = set(tiny)
    findings.add(
        "tiny_class",
        say("fewer than 2 different texts of {named}, so {consequence}", named=named, consequence=consequence),
        "give more rows of each label, or evaluation data of their own"
        if nothing_left
        else "give more rows of each label",
        [i for i, label in enumerate(findings.rows.labels) if label in members],
        fatal=nothing_left,
    )


def sorted_labels(findings: Findings, usable: Sequence[int], labels: Sequence[str], counts: Counter[str]) -> None:
    """Rows in order of their labels, judged by the number of runs (Wald & Wolfowitz 1940); where each run begins.

    A random order of n rows has n + 1 - sum(count^2) / n runs of equal labels on average.
    """
    if len(counts) < 2 or len(labels) < MIN_ROWS_TO_JUDGE_ORDER:
        return
    starts = [0, *(place for place, (before, after) in enumerate(pairwise(labels), 1) if before != after)]
    runs = len(starts)
    expected = len(labels) + 1 - sum(count**2 for count in counts.values()) / len(labels)
    if runs < max(len(counts) + 1, SORTED_SHARE * expected) and runs < expected / 2:
        findings.add(
            "sorted_labels",
            say(
                "the rows are sorted by label: {runs:,} runs of equal labels, where a random order "
                "has about {expected:,.0f}",
                runs=runs,
                expected=expected,
            ),
            "nothing to do here, rows are drawn by seed; but never cut this file by position (first 80 %, last 20 %)",
            [usable[place] for place in starts],
            count=len(labels),
            examples=(
                say("'{label}' begins at row {row}", label=labels[place], row=findings.rows.numbers[usable[place]])
                for place in starts[:MAX_EXAMPLES]
            ),
        )

"""What changed between two versions: rows added, removed, relabelled, moved to another split."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from app.data.chunks import Example
from app.domain.data_version import LabelledText, Relabelled, VersionDiff


def diff(old: Sequence[Example], new: Sequence[Example], old_name: str = "old", new_name: str = "new") -> VersionDiff:
    """Compare by text, order ignored; every row counts once, also where a text occurs several times.

    Where a text has rows with other labels than before, as many as can be paired are relabelled, and the rest are
    added or removed. So `len(new) == len(old) + len(added) - len(removed)`.
    """
    old_labels, new_labels = _labels_by_text(old), _labels_by_text(new)
    added: list[LabelledText] = []
    removed: list[LabelledText] = []
    relabelled: list[Relabelled] = []
    for text in dict.fromkeys((*old_labels, *new_labels)):
        gone = sorted((old_labels[text] - new_labels[text]).elements())
        come = sorted((new_labels[text] - old_labels[text]).elements())
        paired = min(len(gone), len(come))
        relabelled += [
            Relabelled(text=text, old_label=before, new_label=after)
            for before, after in zip(gone[:paired], come[:paired], strict=True)
        ]
        removed += [LabelledText(text=text, label=label) for label in gone[paired:]]
        added += [LabelledText(text=text, label=label) for label in come[paired:]]
    num_unchanged = len(old) - len(removed) - len(relabelled)
    return VersionDiff(
        old=old_name,
        new=new_name,
        added=added,
        removed=removed,
        relabelled=relabelled,
        num_unchanged=num_unchanged,
        num_moved=num_unchanged - (Counter(old) & Counter(new)).total(),
    )


def _labels_by_text(examples: Sequence[Example]) -> defaultdict[str, Counter[str]]:
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        found[example.text][example.label] += 1
    return found

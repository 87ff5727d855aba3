"""Rows -> ValidationReport: what is wrong, in which rows, how to mend it, and which rows can be used.

One function for each kind of finding; how grave a kind is stands in `findings.py`.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.data.columns import nearest
from app.data.findings import DROPPING, MAX_EXAMPLES, Findings, Rules, rows_in_words
from app.data.readers import Rows
from app.data.splitting import fold
from app.domain.data_report import ValidationReport

IMBALANCE_RATIO = 5
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True)
class Reference:
    """What the training file holds, to hold an eval or test file against: labels, and folded texts."""

    labels: frozenset[str]
    folded_texts: frozenset[str]


@dataclass(frozen=True)
class Checked:
    """The report on one file and its usable rows, in file order."""

    report: ValidationReport
    texts: list[str]
    labels: list[str]

    def reference(self) -> Reference:
        """What other files are held against when this is the training file."""
        return Reference(frozenset(self.labels), frozenset(map(fold, self.texts)))


def label_order(labels: Iterable[str]) -> list[str]:
    """Distinct labels in the order of their ids: by value when all are numbers, else by code point."""
    distinct = sorted(set(labels))
    if not all(map(_NUMBER.fullmatch, distinct)):
        return distinct
    return sorted(distinct, key=lambda label: (float(label), label))


def validate(rows: Rows, rules: Rules, *, against: Reference | None = None, to_split: bool = False) -> Checked:
    """Check one file.

    `against` is the training file's content when this is an eval or test file; `to_split` says that evaluation rows
    will be held out of this one.
    """
    findings = Findings(rows, rules)
    _unreadable(findings)
    usable: list[int] = []
    if not _missing_columns(findings):
        usable = _incomplete_rows(findings)
        if against is not None:
            usable = _unknown_labels(findings, usable, against)
    texts, labels = [rows.texts[i] for i in usable], [rows.labels[i] for i in usable]
    counts = Counter(labels)
    folded = [fold(text) for text in texts]
    if usable:
        _label_variants(findings, usable, counts)
        _encoding_damage(findings, usable)
        _repeated_texts(findings, usable, folded, labels)
        if against is not None:
            _leakage(findings, usable, folded, against)
    if against is None and not any(f.code == "missing_column" for f in findings.found):
        _classes(findings, counts, _texts_per_label(folded, labels), to_split)
    found = findings.found
    if not usable:
        found = [f.model_copy(update={"severity": "error"}) if f.code in DROPPING else f for f in found]
    report = ValidationReport(
        file=rows.file,
        sha256=rows.sha256,
        rows=rows.num_rows,
        detected=rows.detected,
        labels={label: counts[label] for label in label_order(counts)},
        findings=sorted(found, key=lambda f: f.severity != "error"),
    )
    return Checked(report, texts, labels)


def _unreadable(findings: Findings) -> None:
    rows = findings.rows
    if not rows.num_unreadable:
        return
    first, reason = rows.unreadable[0]
    findings.add(
        "unreadable_row",
        f"{rows_in_words(rows.num_unreadable)} could not be read; row {first}: {reason}",
        "correct or remove these rows; a text with the separator in it goes in quotes",
        numbers=[number for number, _ in rows.unreadable],
        count=rows.num_unreadable,
        examples=[f"row {number}: {why}" for number, why in rows.unreadable[:MAX_EXAMPLES]],
    )


def _missing_columns(findings: Findings) -> bool:
    rows, detected = findings.rows, findings.rows.detected
    columns = ", ".join(f"'{column}'" for column in detected.columns[:20])
    if detected.header is False:
        columns += " (the file has no header, so columns go by number)"
    missing = False
    for role, asked, chosen in (
        ("text", rows.text_column, detected.text_column),
        ("label", rows.label_column, detected.label_column),
    ):
        if chosen is not None:
            continue
        missing = True
        if asked == "auto":
            message = f"no column looks like the {role}; there is {columns}"
        else:
            message = f"there is no column '{asked}'; there is {columns}"
        near = nearest(asked, detected.columns)
        if near and asked != "auto":
            fix = f"did you mean {' or '.join(repr(name) for name in near)}?"
        else:
            fix = f"name the {role} column with --{role}-column, or add one to the file"
        findings.add("missing_column", message, fix, count=1, examples=near)
    return missing


def _incomplete_rows(findings: Findings) -> list[int]:
    texts, labels = findings.rows.texts, findings.rows.labels
    blank_text = [i for i, text in enumerate(texts) if not text or text.isspace()]
    blank_label = [i for i, label in enumerate(labels) if not label or label.isspace()]
    if blank_text:
        findings.add(
            "empty_text",
            f"{rows_in_words(len(blank_text))} without text",
            "fill in the text or remove the rows",
            blank_text,
            examples=(f"label {labels[i]!r} and no text" for i in blank_text[:MAX_EXAMPLES]),
        )
    if blank_label:
        findings.add(
            "missing_label",
            f"{rows_in_words(len(blank_label))} without a label",
            "fill in the label or remove the rows",
            blank_label,
            examples=(texts[i] for i in blank_label[:MAX_EXAMPLES]),
        )
    incomplete = set(blank_text).union(blank_label)
    return [i for i in range(len(texts)) if i not in incomplete] if incomplete else list(range(len(texts)))


def _unknown_labels(findings: Findings, usable: list[int], against: Reference) -> list[int]:
    labels = findings.rows.labels
    strange = [i for i in usable if labels[i] not in against.labels]
    if not strange:
        return usable
    names = label_order(labels[i] for i in strange)
    named = []
    for name in names[:MAX_EXAMPLES]:
        near = nearest(name, sorted(against.labels))
        named.append(f"'{name}'" + (f" (did you mean '{near[0]}'?)" if near else ""))
    findings.add(
        "unknown_label",
        f"{rows_in_words(len(strange))} with a label that the training data does not have: {', '.join(named)}"
        + (", ..." if len(names) > MAX_EXAMPLES else ""),
        "correct the label, remove the rows, or add training rows with that label",
        strange,
        examples=(f"{labels[i]}: {findings.rows.texts[i]}" for i in strange[:MAX_EXAMPLES]),
    )
    return [i for i in usable if labels[i] in against.labels]


def _label_variants(findings: Findings, usable: list[int], counts: Mapping[str, int]) -> None:
    spellings: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        spellings[fold(label)].append(label)
    minor, pairs = set(), []
    for same in spellings.values():
        if len(same) > 1:
            first, *others = sorted(same, key=lambda label: (-counts[label], label))
            minor.update(others)
            pairs += [f"{o!r} ({rows_in_words(counts[o])}) beside {first!r} ({counts[first]:,})" for o in others]
    if not minor:
        return
    findings.add(
        "label_variant",
        f"labels that differ only by case or white space: {'; '.join(pairs[:MAX_EXAMPLES])}",
        "write each label in one way; allowed, every spelling is a label of its own",
        [i for i in usable if findings.rows.labels[i] in minor],
        examples=pairs,
    )


def _encoding_damage(findings: Findings, usable: list[int]) -> None:
    rows = findings.rows
    damaged = [i for i in usable if "\ufffd" in rows.texts[i] or "\ufffd" in rows.labels[i]]
    if damaged:
        findings.add(
            "encoding_damage",
            f"{rows_in_words(len(damaged))} with characters lost to a wrong encoding (U+FFFD)",
            "save the source again as UTF-8",
            damaged,
            examples=(_around(rows.texts[i], lambda c: c == "\ufffd") for i in damaged[:MAX_EXAMPLES]),
        )
    elif rows.detected.encoding in ("cp1252", "latin-1"):
        doubtful = [i for i in usable if not rows.texts[i].isascii()]
        if doubtful:
            findings.add(
                "encoding_damage",
                f"the file is not UTF-8 and was read as {rows.detected.encoding}; "
                f"{rows_in_words(len(doubtful))} with letters that depend on it",
                "look at the examples; if they are wrong, save the file as UTF-8",
                doubtful,
                examples=(_around(rows.texts[i], lambda c: ord(c) > 127) for i in doubtful[:MAX_EXAMPLES]),
            )


def _around(text: str, wanted: Callable[[str], bool]) -> str:
    at = next((place for place, char in enumerate(text) if wanted(char)), 0)
    return text[max(0, at - 20) : at + 20]


def _repeated_texts(findings: Findings, usable: list[int], folded: Sequence[str], labels: Sequence[str]) -> None:
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


def _leakage(findings: Findings, usable: list[int], folded: Sequence[str], against: Reference) -> None:
    leaked = [i for i, key in zip(usable, folded, strict=True) if key in against.folded_texts]
    if leaked:
        findings.add(
            "leakage",
            f"{rows_in_words(len(leaked))} ({len(leaked) / len(usable):.1%}) whose text is also in the training data",
            "remove them here or there; scores on rows seen in training are too good",
            leaked,
            examples=(findings.rows.texts[i] for i in leaked[:MAX_EXAMPLES]),
        )


def _texts_per_label(folded: Sequence[str], labels: Sequence[str]) -> dict[str, int]:
    """Number of different texts of each label."""
    return Counter(label for _, label in set(zip(folded, labels, strict=True)))


def _classes(findings: Findings, counts: Counter[str], num_texts: Mapping[str, int], to_split: bool) -> None:
    if len(counts) < 2:
        what = f"only one label, '{next(iter(counts))}'" if counts else "no row with both text and label"
        findings.add("single_class", f"there is {what}", "give rows of at least two labels", count=counts.total())
        return
    tiny = [label for label in label_order(counts) if num_texts[label] < 2]
    if tiny:
        named = ", ".join(f"'{label}'" for label in tiny[:5]) + (", ..." if len(tiny) > 5 else "")
        nothing_left = to_split and len(tiny) == len(counts)
        consequence = "nothing can be held out for evaluation" if nothing_left else "it cannot be held out and measured"
        members = set(tiny)
        indices = [i for i, label in enumerate(findings.rows.labels) if label in members]
        findings.add(
            "tiny_class",
            f"fewer than 2 different texts of {named}, so {consequence}",
            "give more rows of each label" + (", or evaluation data of their own" if nothing_left else ""),
            indices,
            fatal=nothing_left,
        )
    most, least = counts.most_common()[0], counts.most_common()[-1]
    if most[1] >= IMBALANCE_RATIO * least[1]:
        findings.add(
            "imbalance",
            f"'{most[0]}' has {rows_in_words(most[1])}, '{least[0]}' only {rows_in_words(least[1])}",
            "give more rows of the rare labels, or set training.label_weights=balanced; judge by macro F1",
            count=least[1],
        )

"""Findings on single rows: unreadable, without text or label, with a label nobody knows or in another spelling."""

from collections import defaultdict
from collections.abc import Mapping, Set

from app.data.columns import nearest
from app.data.findings import MAX_EXAMPLES, Findings, rows_in_words
from app.data.labels import label_order
from app.data.splitting import fold
from app.domain.wording import say


def unreadable(findings: Findings) -> None:
    """Rows that could not be made into cells."""
    rows = findings.rows
    if not rows.num_unreadable:
        return
    first, reason = rows.unreadable[0]
    findings.add(
        "unreadable_row",
        say(
            "{rows} could not be read; row {first}: {reason}",
            rows=rows_in_words(rows.num_unreadable),
            first=first,
            reason=reason,
        ),
        "correct or remove these rows; a text with the separator in it goes in quotes",
        numbers=rows.unreadable_numbers,
        count=rows.num_unreadable,
        examples=[
            say("row {number}: {reason}", number=number, reason=why) for number, why in rows.unreadable[:MAX_EXAMPLES]
        ],
    )


def missing_columns(findings: Findings) -> bool:
    """Whether the text or the label column is missing."""
    rows, detected = findings.rows, findings.rows.detected
    columns = say(
        "{names} (the file has no header, so columns go by number)" if detected.header is False else "{names}",
        names=", ".join(f"'{column}'" for column in detected.columns[:20]),
    )
    missing = False
    for role, asked, chosen in (
        ("text", rows.text_column, detected.text_column),
        ("label", rows.label_column, detected.label_column),
    ):
        if chosen is not None:
            continue
        missing = True
        if asked == "auto":
            message = say("no column looks like the {role}; there is {columns}", role=say(role), columns=columns)
        else:
            message = say("there is no column '{column}'; there is {columns}", column=asked, columns=columns)
        near = nearest(asked, detected.columns)
        if near and asked != "auto":
            fix = say("did you mean {names}?", names=" / ".join(repr(name) for name in near))
        else:
            fix = say(
                "name the {role} column with --{option}-column, or add one to the file", role=say(role), option=role
            )
        findings.add("missing_column", message, fix, count=1, examples=near)
    return missing


def incomplete_rows(findings: Findings) -> list[int]:
    """Note rows without text or label; indices of the others."""
    texts, labels = findings.rows.texts, findings.rows.labels
    blank_text = [i for i, text in enumerate(texts) if not text or text.isspace()]
    blank_label = [i for i, label in enumerate(labels) if not label or label.isspace()]
    if blank_text:
        findings.add(
            "empty_text",
            say("{rows} without text", rows=rows_in_words(len(blank_text))),
            "fill in the text or remove the rows",
            blank_text,
            examples=(say("label {label!r} and no text", label=labels[i]) for i in blank_text[:MAX_EXAMPLES]),
        )
    if blank_label:
        findings.add(
            "missing_label",
            say("{rows} without a label", rows=rows_in_words(len(blank_label))),
            "fill in the label or remove the rows",
            blank_label,
            examples=(texts[i] for i in blank_label[:MAX_EXAMPLES]),
        )
    incomplete = set(blank_text).union(blank_label)
    return [i for i in range(len(texts)) if i not in incomplete] if incomplete else list(range(len(texts)))


def unknown_labels(findings: Findings, usable: list[int], known: Set[str]) -> list[int]:
    """Note rows whose label is not `known`; indices of the others among `usable`."""
    labels = findings.rows.labels
    strange = [i for i in usable if labels[i] not in known]
    if not strange:
        return usable
    names = label_order(labels[i] for i in strange)
    named = []
    for name in names[:MAX_EXAMPLES]:
        near = nearest(name, sorted(known))
        named.append(
            say("'{label}' (did you mean '{near}'?)", label=name, near=near[0])
            if near
            else say("'{label}'", label=name)
        )
    findings.add(
        "unknown_label",
        say(
            "{rows} with a label that the training data does not have: {labels}{more}",
            rows=rows_in_words(len(strange)),
            labels=named,
            more=", ..." if len(names) > MAX_EXAMPLES else "",
        ),
        _fix_of_unknown(names, known),
        strange,
        examples=(f"{labels[i]}: {findings.rows.texts[i]}" for i in strange[:MAX_EXAMPLES]),
    )
    return [i for i in usable if labels[i] in known]


def _fix_of_unknown(names: list[str], known: Set[str]) -> str:
    """What to do; where one file numbers the labels and the other names them, that is said."""
    here, there = (all(name.strip().isdecimal() for name in some) for some in (names, known))
    if here == there:
        return say("correct the label, remove the rows, or add training rows with that label")
    return say(
        "labels are numbers here and names in the training data: write both alike"
        if here
        else "labels are names here and numbers in the training data: write both alike"
    )


def label_variants(findings: Findings, usable: list[int], counts: Mapping[str, int]) -> None:
    """Labels that differ only by case or white space."""
    spellings: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        spellings[fold(label)].append(label)
    minor, pairs = set(), []
    for same in spellings.values():
        if len(same) > 1:
            first, *others = sorted(same, key=lambda label: (-counts[label], label))
            minor.update(others)
            pairs += [
                say(
                    "{other!r} ({rows}) beside {label!r} ({count:,})",
                    other=one,
                    rows=rows_in_words(counts[one]),
                    label=first,
                    count=counts[first],
                )
                for one in others
            ]
    if not minor:
        return
    findings.add(
        "label_variant",
        say("labels that differ only by case or white space: {pairs}", pairs=pairs[:MAX_EXAMPLES]),
        "write each label in one way; allowed, every spelling is a label of its own",
        [i for i in usable if findings.rows.labels[i] in minor],
        examples=pairs,
    )

"""A cleaned copy of a file and the list of what was changed, row by row; the file itself is never touched.

What needs a decision is done where it was asked for: rows with certain findings left out, personal data masked. Labels
that are probably wrong are decided one by one, by `finetune data label-errors --review`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from app.data import markup, mojibake, personal_data, whole_rows
from app.data.exporting import check_target, write_table
from app.data.readers import Rows
from app.data.splitting import fold


class Change(NamedTuple):
    """One change; `row` is from 1, header not counted; `action` is `drop`, `repair` or `relabel`."""

    row: int
    code: str
    action: str
    before: str
    after: str
    reason: str


@dataclass(frozen=True)
class Cleaned:
    """The rows of `source` that stay, (text, label) by number, and every change in file order."""

    source: Rows
    cells: dict[int, tuple[str, str]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Text and label of the rows that stay."""
        return list(self.cells.values())


def clean(
    rows: Rows, held_out: Iterable[str] = (), *, unwanted: Mapping[int, str] | None = None, mask: bool = False
) -> Cleaned:
    """Repair texts, unite spellings of labels, drop what cannot be used; `held_out` are texts of eval and test files.

    Of duplicates the first stays; of a text with several labels no row stays. `unwanted` maps numbers of rows to leave
    out to their finding's code; with `mask` personal data is, in the list of changes too.
    """
    unwanted = unwanted or {}
    reasons = dict(rows.unreadable)
    changes = [
        Change(number, "unreadable_row", "drop", "", "", reasons.get(number, "could not be read"))
        for number in rows.unreadable_numbers
    ]
    kept = _repaired(rows, changes)
    labels_of: dict[str, set[str]] = defaultdict(set)
    for _, text, label in kept:
        labels_of[fold(text)].add(label)
    known = dict.fromkeys(map(fold, held_out), ("leakage", "the text is in the eval or test file"))
    known |= {
        key: ("conflicting_label", "the text has several labels") for key, names in labels_of.items() if len(names) > 1
    }
    known[""] = ("empty_text", "nothing is left after repair")
    staying: dict[int, tuple[str, str]] = {}
    for number, text, label in kept:
        if _is_unwanted(unwanted.get(number), text) and fold(text) not in known:
            changes.append(Change(number, unwanted[number], "drop", text, "", "asked for with --drop"))
            continue
        if fold(text) in known:
            code, reason = known[fold(text)]
            changes.append(Change(number, code, "drop", text, "", reason))
        else:
            whole = personal_data.mask(text) if mask else text
            if whole != text:
                changes.append(Change(number, "personal_data", "repair", whole, whole, "asked for with --mask"))
            staying[number] = (whole, label)
            known[fold(text)] = ("duplicate", "text and label of an earlier row")
    if mask:
        changes = [
            change._replace(before=personal_data.mask(change.before), after=personal_data.mask(change.after))
            for change in changes
        ]
    return Cleaned(rows, staying, sorted(changes, key=lambda change: change.row))


REPAIRS = (
    (mojibake.repair, "UTF-8 that was read as Windows-1252"),
    (markup.remove, "HTML tags and entities taken out"),
)


def _is_unwanted(code: str | None, text: str) -> bool:
    """Damage that could be repaired is no reason to leave a row out."""
    return code is not None and (code != "encoding_damage" or "\ufffd" in text)


def _repaired(rows: Rows, changes: list[Change]) -> list[tuple[int, str, str]]:
    """Number, text and label of the complete rows after repair; what was done is added to `changes`."""
    spelling = _spellings(rows.labels)
    kept = []
    for number, text, label in zip(rows.numbers, rows.texts, rows.labels, strict=True):
        if not text.strip():
            changes.append(Change(number, "empty_text", "drop", text, "", "no text"))
            continue
        if not label.strip():
            changes.append(Change(number, "missing_label", "drop", text, "", "no label"))
            continue
        whole, name = text, spelling[label]
        for repair, reason in REPAIRS:
            before, whole = whole, repair(whole)
            if whole != before:
                changes.append(Change(number, "encoding_damage", "repair", before, whole, reason))
        if name != label:
            changes.append(Change(number, "label_variant", "relabel", label, name, "spelling of the most rows"))
        kept.append((number, whole, name))
    return kept


def _spellings(labels: Sequence[str]) -> dict[str, str]:
    counts = Counter(labels)
    best: dict[str, str] = {}
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        best.setdefault(fold(label), label)
    return {label: best[fold(label)] for label in counts}


def write(cleaned: Cleaned, out: Path) -> Path:
    """Write the rows, all their columns, to `out` and the changes beside it; returns the path of the changes.

    InvalidInput where the suffix is none of `exporting.FORMATS`, Conflict where either file exists; then neither is
    written.
    """
    listed = check_targets(out)
    write_table(listed, list(Change._fields), cleaned.changes)
    try:
        columns = whole_rows.column_names(cleaned.source)
        write_table(out, columns, list(whole_rows.with_new_cells(cleaned.source, cleaned.cells)))
    except BaseException:
        listed.unlink(missing_ok=True)
        raise
    return listed


def check_targets(out: Path) -> Path:
    """The file beside `out` that lists the changes; raises as `write` where one of the two cannot be written."""
    listed = out.with_name(out.name + ".changes.csv")
    check_target(out, "--fix")
    check_target(listed, "--fix")
    return listed

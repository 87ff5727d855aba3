"""A cleaned copy of a file and the list of what was changed, row by row; the file itself is never touched.

What needs a decision is done where it was asked for: rows with certain findings left out, personal data masked. Labels
that are probably wrong are decided one by one, by `finetune data label-errors --review`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from app.data import markup, mojibake, personal_data
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
    """The rows that stay, as (text, label), and every change in file order."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


def clean(
    rows: Rows, held_out: Iterable[str] = (), *, unwanted: Mapping[int, str] | None = None, mask: bool = False
) -> Cleaned:
    """Repair texts, unite spellings of labels, drop what cannot be used; `held_out` are texts of eval and test files.

    Of duplicates the first stays; of a text with several labels no row stays. Unreadable rows are listed as far as
    the reader named them (100). `unwanted` maps numbers of rows to leave out to their finding's code; with `mask`
    personal data is.
    """
    unwanted = unwanted or {}
    changes = [Change(number, "unreadable_row", "drop", "", "", why) for number, why in rows.unreadable]
    kept = _repaired(rows, changes)
    labels_of: dict[str, set[str]] = defaultdict(set)
    for _, text, label in kept:
        labels_of[fold(text)].add(label)
    known = dict.fromkeys(map(fold, held_out), ("leakage", "the text is in the eval or test file"))
    known |= {
        key: ("conflicting_label", "the text has several labels") for key, names in labels_of.items() if len(names) > 1
    }
    known[""] = ("empty_text", "nothing is left after repair")
    staying = []
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
            staying.append((whole, label))
            known[fold(text)] = ("duplicate", "text and label of an earlier row")
    return Cleaned(staying, sorted(changes, key=lambda change: change.row))


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
        whole, name = markup.remove(mojibake.repair(text)), spelling[label]
        if whole != text:
            reason = "UTF-8 read as Windows-1252, or HTML"
            changes.append(Change(number, "encoding_damage", "repair", text, whole, reason))
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
    """Write the rows to `out` and the changes beside it; returns the path of the changes.

    InvalidInput where the suffix is none of `exporting.FORMATS`, Conflict where either file exists; then neither is
    written.
    """
    listed = out.with_name(out.name + ".changes.csv")
    check_target(out, "--fix")
    check_target(listed, "--fix")
    write_table(listed, list(Change._fields), cleaned.changes)
    try:
        write_table(out, ["text", "label"], cleaned.rows)
    except BaseException:
        listed.unlink(missing_ok=True)
        raise
    return listed

"""Checked files -> the same with the training file mended and judged again; the files themselves stay as they are."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from app.data.cleaning import Cleaned, clean
from app.data.findings import BLOCKING, DROPPABLE, FATAL, Rules
from app.data.prepare import judge
from app.data.readers import Rows
from app.data.validation import Checked
from app.domain.data_report import Finding
from app.domain.errors import InvalidInput
from app.domain.wording import say

MENDED = frozenset(
    {
        "unreadable_row",
        "empty_text",
        "missing_label",
        "encoding_damage",
        "label_variant",
        "conflicting_label",
        "leakage",
        "duplicate",
    }
)
"""What `clean` does away with unasked."""


def check_wishes(drop: Iterable[str], *, names: str) -> None:
    """InvalidInput where rows cannot be left out for a code; `names` is what the option is called."""
    for code in drop:
        if code not in DROPPABLE:
            raise InvalidInput(
                say("{names}: no row can be left out for '{code}'", names=names, code=code),
                hint=say("one of {droppable}", droppable=", ".join(DROPPABLE)),
            )


def cleaned(checked: Mapping[str, Checked], drop: Collection[str], *, mask: bool) -> Cleaned:
    """The training file's rows, mended; InvalidInput where a column is missing, so nothing can be said of rows."""
    train = checked["train"]
    if any(finding.code == "missing_column" for finding in train.report.findings):
        raise InvalidInput("the text or the label column is missing", hint="name them first")
    held_out = (text for name, one in checked.items() if name != "train" for text in one.texts)
    unwanted = {number: code for code, numbers in train.numbers_of.items() if code in drop for number in numbers}
    return clean(train.rows, held_out, unwanted=unwanted, mask=mask)


def fixed(checked: Mapping[str, Checked], mended: Cleaned, rules: Rules) -> dict[str, Checked]:
    """All files judged again with the training rows as they are now; they keep their numbers in the file."""
    rows = {name: one.rows for name, one in checked.items()} | {"train": _rows(mended)}
    again = judge(rows, rules, to_split="eval" not in rows)
    counts = Counter(f"{change.action} {change.code}" for change in mended.changes)
    return again | {"train": replace(again["train"], changed=dict(counts))}


def remedies(finding: Finding) -> list[str]:
    """What can be asked for about a finding: fix, drop, mask, allow."""
    code = finding.code
    could = {
        "fix": code in MENDED,
        "drop": code in DROPPABLE,
        "mask": code == "personal_data",
        "allow": code in BLOCKING - FATAL and finding.severity == "error",
    }
    return [name for name, is_possible in could.items() if is_possible]


def _rows(mended: Cleaned) -> Rows:
    detected = mended.source.detected.model_copy(update={"other_lines": []})
    return replace(
        mended.source,
        detected=detected,
        num_rows=len(mended.cells),
        numbers=list(mended.cells),
        texts=[text for text, _ in mended.cells.values()],
        labels=[label for _, label in mended.cells.values()],
        unreadable=[],
        unreadable_numbers=[],
        other_rows=[],
    )

"""Rows -> ValidationReport: what is wrong, in which rows, how to mend it, and which rows can be used.

What is looked for is in `checks/`; how grave a kind of finding is stands in `findings.py`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.data.checks import classes, doubts, languages, repeats, rows, texts
from app.data.findings import DROPPING, Findings, Rules
from app.data.labels import label_order
from app.data.progress import counted
from app.data.readability import BaseTokenizer
from app.data.readers import Rows
from app.data.splitting import fold_key
from app.data.spool import select
from app.domain.data_report import Finding, FindingCode, ValidationReport


@dataclass(frozen=True)
class Reference:
    """What an eval or test file is held against: the training file's labels and texts, and the eval file's texts."""

    labels: frozenset[str]
    training: repeats.Training
    evaluation: repeats.Training | None = None


@dataclass(frozen=True)
class Checked:
    """The report on one file, its rows as read, and the usable ones in file order.

    `numbers_of` has the numbers of all rows with a finding, by its code, where the report names a hundred. `alike` has
    groups of places in `texts` whose texts are nearly the same, equal ones apart. `changed` counts what was changed in
    the rows since they were read, by action and finding (`drop duplicate`).
    """

    report: ValidationReport
    rows: Rows
    texts: Sequence[str]
    labels: Sequence[str]
    alike: list[list[int]] = field(default_factory=list)
    numbers_of: Mapping[FindingCode, Sequence[int]] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)

    @property
    def num_near_duplicates(self) -> int:
        """Texts that are nearly the same as an earlier, different one."""
        return sum(len(group) - 1 for group in self.alike)

    def reference(self) -> Reference:
        """What other files are held against when this is the training file."""
        return Reference(frozenset(self.labels), repeats.Training.of(self.texts))


def validate(
    found: Rows,
    rules: Rules,
    *,
    against: Reference | None = None,
    to_split: bool = False,
) -> Checked:
    """Check one file.

    `against` is the training file's content when this is an eval or test file; `to_split` says that evaluation rows
    will be held out of this one.
    """
    findings = Findings(found, rules)
    usable = _usable_rows(findings, against)
    used_texts, used_labels = select(found.texts, usable), [found.labels[i] for i in usable]
    counts = Counter(used_labels)
    keys = [fold_key(text) for text in counted(used_texts, "repeated texts", len(usable))]
    alike: list[list[int]] = []
    if usable:
        rows.label_variants(findings, usable, counts)
        _check_texts(findings, usable)
        repeats.repeated_texts(findings, usable, keys, used_labels)
        alike = repeats.near_duplicates(findings, usable, keys)
        if against is not None:
            repeats.leakage(findings, usable, keys, against.training, "training")
            if against.evaluation is not None:
                repeats.leakage(findings, usable, keys, against.evaluation, "evaluation")
    if against is None and not any(f.code == "missing_column" for f in findings.found):
        classes.classes(findings, counts, classes.texts_per_label(keys, used_labels), to_split)
        classes.sorted_labels(findings, usable, used_labels, counts)
        doubts.suspected_label_errors(findings, usable, used_labels)
    return Checked(_report(findings, counts, usable), found, used_texts, used_labels, alike, findings.numbers_of)


def with_base_model(report: ValidationReport, found: Rows, rules: Rules, base: BaseTokenizer) -> ValidationReport:
    """`report` and whether the base model can read the rows, and to their ends.

    What is stored with the data is without, for any model.
    """
    findings = Findings(found, rules)
    filled = [i for i, text in enumerate(found.texts) if text.strip()]
    texts.unreadable_scripts(findings, filled, base)
    languages.foreign_language(findings, filled, base)
    texts.truncated(findings, filled, base)
    return report.model_copy(update={"findings": _errors_first([*findings.found, *report.findings])})


def _errors_first(found: Iterable[Finding]) -> list[Finding]:
    return sorted(found, key=lambda finding: finding.severity != "error")


def _usable_rows(findings: Findings, against: Reference | None) -> list[int]:
    """Indices of the rows that have a text and a label that can be learnt."""
    rows.unreadable(findings)
    if rows.missing_columns(findings):
        return []
    usable = rows.incomplete_rows(findings)
    return usable if against is None else rows.unknown_labels(findings, usable, against.labels)


def _check_texts(findings: Findings, usable: list[int]) -> None:
    texts.encoding_damage(findings, usable)
    texts.html_residue(findings, usable)
    texts.length_outliers(findings, usable)
    texts.foreign_scripts(findings, usable)
    texts.personal_texts(findings, usable)


def _report(findings: Findings, counts: Mapping[str, int], usable: list[int]) -> ValidationReport:
    found = findings.found
    if not usable:
        found = [f.model_copy(update={"severity": "error"}) if f.code in DROPPING else f for f in found]
    return ValidationReport(
        file=findings.rows.file,
        sha256=findings.rows.sha256,
        rows=findings.rows.num_rows,
        detected=findings.rows.detected,
        labels={label: counts[label] for label in label_order(counts)},
        findings=_errors_first(found),
    )

"""From a DataConfig to the examples a run trains on: read, check, split, store as a version."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.data import catalogue, hub, readers, stored, versioning
from app.data.chunks import Example
from app.data.findings import FATAL, Rules
from app.data.labels import label_order
from app.data.readability import BaseTokenizer
from app.data.splitting import split
from app.data.validation import Checked, validate, with_base_model
from app.domain.data_report import DataIdentity, DataReport, Detected, ValidationReport
from app.domain.data_version import NamedVersion, Origin, Source
from app.domain.errors import DataBlocked, InvalidInput
from app.domain.train_config import DataConfig
from app.domain.wording import Said, one_after_another, say
from app.settings import get_settings


@dataclass(frozen=True)
class Examples:
    """Texts and the ids of their labels, in the same order."""

    texts: list[str]
    label_ids: list[int]


@dataclass(frozen=True)
class PreparedData:
    """What was found and what is used; `splits` has train and eval, and test where it was given."""

    report: DataReport
    splits: dict[str, Examples]


@dataclass(frozen=True)
class Collected:
    """Checked rows in their splits, train first, and where they come from; not stored yet.

    `reports` are those of `origin` and what the base model makes of the texts.
    """

    name: str
    examples: list[Example]
    origin: Origin
    reports: dict[str, ValidationReport]


def check(data: DataConfig, results_dir: Path | None = None, base: BaseTokenizer | None = None) -> dict[str, Checked]:
    """Read and validate every source that `data` names, by split; nothing is raised for findings.

    Stored data sets are looked for below `results_dir`, by default that of the settings. `base` is the tokenizer of the
    model that is to read the texts, where that is known.
    """
    results_dir = results_dir or get_settings().results_dir
    rules = Rules.of(data.allow, data.block)
    if data.train is None:
        raise InvalidInput("there is no training data", hint="give --data FILE, or data.train in the configuration")
    rows = _read(data.train, "train", data, results_dir)
    is_stored = catalogue.find_source(results_dir, data.train) is not None
    found = {"train": rows}
    for name, source in (("eval", data.eval), ("test", data.test)):
        if source is not None:
            found[name] = _read(source, name, data, results_dir, rows.detected)
    checked = judge(found, rules, to_split=data.eval is None and not is_stored)
    return checked if base is None else judged_for(base, checked, rules)


def judge(found: Mapping[str, readers.Rows], rules: Rules, *, to_split: bool) -> dict[str, Checked]:
    """Validate rows by split, train first; evaluation and test rows are held against those before them.

    `to_split` says that evaluation rows will be held out of the training rows.
    """
    checked = {"train": validate(found["train"], rules, to_split=to_split)}
    reference = checked["train"].reference() if len(found) > 1 else None
    for name in ("eval", "test"):
        if name in found:
            checked[name] = validate(found[name], rules, against=reference)
            if name == "eval" and reference is not None:
                reference = replace(reference, evaluation=checked["eval"].reference().training)
    return checked


def judged_for(base: BaseTokenizer, checked: Mapping[str, Checked], rules: Rules) -> dict[str, Checked]:
    """With what a base model makes of the texts in each report."""
    return {
        name: replace(one, report=with_base_model(one.report, one.rows, rules, base)) for name, one in checked.items()
    }


def collect(
    data: DataConfig,
    seed: int,
    results_dir: Path,
    *,
    kept: Mapping[str, str] | None = None,
    checked: dict[str, Checked] | None = None,
    base: BaseTokenizer | None = None,
) -> Collected:
    """Read, check and split; DataBlocked, with every report attached, where a finding blocks.

    `kept` is as in `splitting.split`; `checked` is what `check` gave, where that was called already.
    """
    rules = Rules.of(data.allow, data.block)
    named = catalogue.find_source(results_dir, data.train) if data.train else None
    if named is not None and data.eval is None and data.test is None:
        examples, origin = stored.whole(named, results_dir, rules)
        rows = {name: stored.rows_of(named, name, results_dir) for name in origin.reports} if base else {}
        reports = _for_base(origin.reports, rows, rules, base)
        return Collected(str(named), examples, origin, reports)
    checked = checked or check(data, results_dir)
    reports = {name: one.report for name, one in checked.items()}
    reports_for_base = _for_base(reports, {name: one.rows for name, one in checked.items()}, rules, base)
    parts = {name: list(zip(one.texts, one.labels, strict=True)) for name, one in checked.items()}
    sources = {
        name: Source(
            file=_file_name(one.file),
            sha256=one.sha256,
            format=one.detected.format,
            changed=dict(checked[name].changed),
        )
        for name, one in reports.items()
    }
    was_split = False
    if named is not None:
        # The given evaluation or test rows take the place of the stored ones; the other splits stay as stored.
        parts = stored.parts(named, results_dir) | {name: rows for name, rows in parts.items() if name != "train"}
    elif "eval" not in parts:
        was_split = True
        parts |= _hold_out(checked["train"], data.eval_fraction, seed, kept, reports)
    origin = Origin(
        sources=sources,
        reports=reports,
        split_seed=seed if was_split else None,
        eval_fraction=data.eval_fraction if was_split else None,
    )
    examples = [Example(name, *row) for name in versioning.SPLITS for row in parts.get(name, [])]
    return Collected(_name(data, named), examples, origin, reports_for_base)


def _for_base(
    reports: dict[str, ValidationReport],
    rows: Mapping[str, readers.Rows],
    rules: Rules,
    base: BaseTokenizer | None,
) -> dict[str, ValidationReport]:
    """The reports with what the base model makes of each split's rows; DataBlocked where any finding blocks."""
    if base is not None:
        reports = {name: with_base_model(one, rows[name], rules, base) for name, one in reports.items()}
    raise_if_blocked(reports)
    return reports


def _hold_out(
    train: Checked,
    eval_fraction: float,
    seed: int,
    kept: Mapping[str, str] | None,
    reports: dict[str, ValidationReport],
) -> dict[str, list[tuple[str, str]]]:
    train_rows, eval_rows = split(train.texts, train.labels, eval_fraction, seed, kept, alike=train.alike)
    if not eval_rows:
        raise DataBlocked(
            say(
                "{file}: no text can be held out without taking a label's last one from training",
                file=train.report.file,
            ),
            hint="give more rows of each label, or evaluation data of their own (--eval-data)",
            reports=reports,
        )
    return {
        "train": [(train.texts[i], train.labels[i]) for i in train_rows],
        "eval": [(train.texts[i], train.labels[i]) for i in eval_rows],
    }


def prepare(
    data: DataConfig,
    seed: int,
    results_dir: Path,
    base: BaseTokenizer | None = None,
    profile: Callable[[Checked], dict[str, Any]] | None = None,
) -> PreparedData:
    """Collect and store; DataBlocked, with every report attached, where a finding blocks.

    The split depends on the seed and the texts alone, the version on the rows of every split. `profile` makes what the
    version keeps of what its training rows look like, where it has none yet.
    """
    is_stored = data.train is not None and catalogue.find_source(results_dir, data.train) is not None
    checked = None if is_stored else check(data, results_dir)
    collected = collect(data, seed, results_dir, checked=checked, base=base)
    origin = collected.origin
    if profile is not None and checked is not None and not origin.profile:
        origin = origin.model_copy(update={"profile": profile(checked["train"])})
    version = versioning.store(collected.examples, results_dir, origin)
    examples = collected.examples
    sizes = Counter(row.split for row in examples)
    train_labels = Counter(row.label for row in examples if row.split == "train")
    labels = label_order(train_labels)
    identity = DataIdentity(
        name=collected.name,
        version=version,
        labels=labels,
        num_train=sizes["train"],
        num_eval=sizes["eval"],
        num_test=sizes["test"],
        train_label_counts=[train_labels[label] for label in labels],
    )
    return _assemble(DataReport(identity=identity, reports=collected.reports), examples)


def load_prepared(report: DataReport, results_dir: Path) -> PreparedData:
    """Reload what `prepare` stored, by version; DatasetDamaged where its content is no longer the same."""
    return _assemble(report, versioning.load(report.identity.version, results_dir))


def _assemble(report: DataReport, examples: list[Example]) -> PreparedData:
    ids = {label: index for index, label in enumerate(report.identity.labels)}
    splits: dict[str, Examples] = {}
    for split_name, text, label in examples:
        part = splits.setdefault(split_name, Examples([], []))
        part.texts.append(text)
        part.label_ids.append(ids[label])
    return PreparedData(report, splits)


def _read(
    source: str, split_name: str, data: DataConfig, results_dir: Path, like: Detected | None = None
) -> readers.Rows:
    named = catalogue.find_source(results_dir, source)
    if named is not None:
        return stored.rows_of(named, split_name, results_dir)
    return readers.read(
        source,
        text_column=data.text_column,
        label_column=data.label_column,
        max_row_bytes=data.max_row_bytes,
        like=like,
        reading=data.reading,
    )


def _file_name(source: str) -> str:
    return source if source.startswith(hub.PREFIX) else Path(source).name


def _name(data: DataConfig, named: NamedVersion | None) -> str:
    """What lists call the data: a stored version that is used with other rows is not called by its name alone."""
    if named is not None:
        return " + ".join([str(named), *(_file_name(source) for source in (data.eval, data.test) if source)])
    source = data.train or ""
    return hub.parse(source)[0].rpartition("/")[2] if source.startswith(hub.PREFIX) else Path(source).stem


def raise_if_blocked(reports: dict[str, ValidationReport]) -> None:
    """DataBlocked, with every report attached, where a finding blocks."""
    blocking = [(report, f) for report in reports.values() for f in report.findings if f.severity == "error"]
    if not blocking:
        return
    shown: list[Said] = []
    for report, finding in blocking[:3]:
        places = ", ".join(map(str, finding.rows[:5])) + (", ..." if finding.count > 5 else "")
        where = say(" (rows {rows})", rows=places) if finding.rows else ""
        told = finding.told("message")
        shown.append(
            say("{file}: {code}: {finding}{where}", file=report.file, code=finding.code, finding=told, where=where)
        )
    if len(blocking) > 3:
        shown.append(say("and {count} more", count=len(blocking) - 3))
    first = blocking[0][1]
    can_allow = sorted({f.code for _, f in blocking} - FATAL - {"tiny_class"})
    hint = first.told("fix")
    if can_allow:
        hint = say("{fix}; or accept it: {accept}", fix=hint, accept=f"--allow {' --allow '.join(can_allow)}")
    raise DataBlocked(one_after_another(shown), hint=hint, reports=reports)

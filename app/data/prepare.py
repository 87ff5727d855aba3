"""From a DataConfig to the examples a run trains on: read, check, split, store as a version."""

import re
from dataclasses import dataclass
from pathlib import Path

from app.data import hub, readers, versioning
from app.data.findings import FATAL, Rules
from app.data.splitting import split
from app.data.validation import Checked, label_order, validate
from app.data.versioning import Example
from app.domain.data_report import DataIdentity, DataReport, Detected, ValidationReport
from app.domain.errors import DataBlocked, InvalidInput
from app.domain.train_config import DataConfig

_NAMED = re.compile(r"^[\w.-]+@[\w.-]+$")


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


def check(data: DataConfig) -> dict[str, Checked]:
    """Read and validate every source that `data` names, by split; nothing is raised for findings."""
    rules = Rules.of(data.allow, data.block)
    if data.train is None:
        raise InvalidInput("there is no training data", hint="give --data FILE, or data.train in the configuration")
    checked = {"train": validate(_read(data.train, data), rules, to_split=data.eval is None)}
    others = [(name, source) for name, source in (("eval", data.eval), ("test", data.test)) if source is not None]
    reference = checked["train"].reference() if others else None
    for name, source in others:
        rows = _read(source, data, checked["train"].report.detected)
        checked[name] = validate(rows, rules, against=reference)
    return checked


def prepare(data: DataConfig, seed: int, results_dir: Path) -> PreparedData:
    """Read, check, split and store; DataBlocked, with every report attached, where a finding blocks.

    The split depends on the seed and the texts alone, the version on the rows of every split.
    """
    checked = check(data)
    reports = {name: one.report for name, one in checked.items()}
    _raise_if_blocked(reports)
    train = checked["train"]
    parts = {name: list(zip(one.texts, one.labels, strict=True)) for name, one in checked.items()}
    if "eval" not in parts:
        train_rows, eval_rows = split(train.texts, train.labels, data.eval_fraction, seed)
        if not eval_rows:
            raise DataBlocked(
                f"{train.report.file}: no text can be held out without taking a label's last one from training",
                hint="give more rows of each label, or evaluation data of their own (--eval-data)",
                reports=reports,
            )
        rows = parts["train"]
        parts["train"], parts["eval"] = [rows[i] for i in train_rows], [rows[i] for i in eval_rows]
    examples = [Example(name, *row) for name in versioning.SPLITS for row in parts.get(name, [])]
    labels = label_order(train.labels)
    counts = dict.fromkeys(labels, 0)
    for _, label in parts["train"]:
        counts[label] += 1
    identity = DataIdentity(
        name=_name(data.train or ""),
        version=versioning.store(examples, results_dir),
        labels=labels,
        num_train=len(parts["train"]),
        num_eval=len(parts["eval"]),
        num_test=len(parts.get("test", [])),
        train_label_counts=list(counts.values()),
    )
    return _assemble(DataReport(identity=identity, reports=reports), examples)


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


def _read(source: str, data: DataConfig, like: Detected | None = None) -> readers.Rows:
    if _NAMED.match(source) and not Path(source).exists():
        raise InvalidInput(
            f"'{source}' names a stored data set; named data sets are not available in this version",
            hint="give a file, or hub:OWNER/NAME",
        )
    return readers.read(
        source,
        text_column=data.text_column,
        label_column=data.label_column,
        max_row_bytes=data.max_row_bytes,
        like=like,
    )


def _name(source: str) -> str:
    if source.startswith(hub.PREFIX):
        return hub.parse(source)[0].rpartition("/")[2]
    return Path(source).stem


def _raise_if_blocked(reports: dict[str, ValidationReport]) -> None:
    blocking = [(report, f) for report in reports.values() for f in report.findings if f.severity == "error"]
    if not blocking:
        return
    shown = []
    for report, finding in blocking[:3]:
        places = ", ".join(map(str, finding.rows[:5])) + (", ..." if finding.count > 5 else "")
        where = f" (rows {places})" if finding.rows else ""
        shown.append(f"{report.file}: {finding.code}: {finding.message}{where}")
    more = f"; and {len(blocking) - 3} more" if len(blocking) > 3 else ""
    first = blocking[0][1]
    can_allow = sorted({f.code for _, f in blocking} - FATAL - {"tiny_class"})
    allowing = f"; or accept it: --allow {' --allow '.join(can_allow)}" if can_allow else ""
    raise DataBlocked("; ".join(shown) + more, hint=first.fix + allowing, reports=reports)

"""Stored versions as a source of rows: whole with their splits, or as what another data set is evaluated on."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from app.data import catalogue, versioning
from app.data.chunks import Example, read_chunk
from app.data.findings import Rules
from app.data.readers import Rows
from app.data.splitting import fold
from app.domain.data_report import Detected
from app.domain.data_version import NamedVersion, Origin
from app.domain.errors import DatasetDamaged
from app.domain.train_config import AUTO

STORED_FORMAT = "stored version"


def whole(named: NamedVersion, results_dir: Path, rules: Rules) -> tuple[list[Example], Origin]:
    """Every row in its split, and the origin; findings that are made blocking now are errors in its reports."""
    origin = versioning.read_manifest(named.version, results_dir).origin
    reports = {
        split: report.model_copy(
            update={
                "findings": [
                    f.model_copy(update={"severity": "error"}) if f.code in rules.block else f for f in report.findings
                ]
            }
        )
        for split, report in origin.reports.items()
    }
    return versioning.load(named.version, results_dir), origin.model_copy(update={"reports": reports})


def parts(named: NamedVersion, results_dir: Path) -> dict[str, list[tuple[str, str]]]:
    """Texts and labels by split."""
    found: dict[str, list[tuple[str, str]]] = {}
    for split, text, label in versioning.load(named.version, results_dir):
        found.setdefault(split, []).append((text, label))
    return found


def rows_of(named: NamedVersion, split: str, results_dir: Path) -> Rows:
    """A version read as a file would be.

    As evaluation or test data it gives the split of that name where one was given when it was stored, else every row:
    rows that were only held out are no reason to leave the others. As training data it gives the train split.
    """
    manifest = versioning.read_manifest(named.version, results_dir)
    was_given = split in manifest.splits and (split != "eval" or manifest.origin.split_seed is None)
    examples = versioning.load(named.version, results_dir)
    if split == "train" or was_given:
        examples = [row for row in examples if row.split == split]
    return as_rows(str(named), named.version, examples)


def as_rows(source: str, version: str, examples: list[Example]) -> Rows:
    """Examples of whatever split as the rows of a file, numbered from 1."""
    detected = Detected(format=STORED_FORMAT, columns=list(Example._fields), text_column="text", label_column="label")
    return Rows(
        file=source,
        sha256=version,
        detected=detected,
        text_column=AUTO,
        label_column=AUTO,
        num_rows=len(examples),
        numbers=list(range(1, len(examples) + 1)),
        texts=[row.text for row in examples],
        labels=[row.label for row in examples],
    )


def splits_by_text(name: str, results_dir: Path) -> Mapping[str, str]:
    """Folded text -> split (train or eval) over all versions of a name; the newest that has the text decides.

    What is damaged is passed over: adding the data again is how it is mended.
    """
    found: dict[str, str] = {}
    seen: set[str] = set()
    for entry in reversed(catalogue.entries(results_dir, name)):
        with suppress(DatasetDamaged):
            for chunk in versioning.read_manifest(entry.version, results_dir).chunks:
                if chunk.sha256 not in seen:
                    seen.add(chunk.sha256)
                    _add_splits(found, chunk.sha256, results_dir)
    return found


def _add_splits(found: dict[str, str], sha256: str, results_dir: Path) -> None:
    with suppress(DatasetDamaged):
        for row in read_chunk(sha256, results_dir):
            if row.split != "test":
                found.setdefault(fold(row.text), row.split)

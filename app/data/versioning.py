"""Data set versions: immutable files named by the sha256 of what is in them, checked whenever they are read."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from app.domain.errors import DatasetDamaged, StorageError

SPLITS = ("train", "eval", "test")


class Example(NamedTuple):
    """One row of a version; `split` is train, eval or test, `label` the label's name."""

    split: str
    text: str
    label: str


def content_version(examples: list[Example]) -> str:
    """Hex sha256 over (split, text, label) of every row in order: the same rows from any file format give the same."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps(example, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()


def version_path(results_dir: Path, version: str) -> Path:
    """Where a version lies below the results directory."""
    return results_dir / "datasets" / f"{version}.parquet"


def store(examples: list[Example], results_dir: Path) -> str:
    """Write the examples unless they are there already, and return their version; the file appears whole or not."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    version = content_version(examples)
    path = version_path(results_dir, version)
    if path.exists():
        try:
            load(version, results_dir)
            return version
        except DatasetDamaged:
            path.unlink()
    table = pa.table(
        {name: pa.array([row[i] for row in examples], pa.string()) for i, name in enumerate(Example._fields)}
    )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                pq.write_table(table, file, compression="zstd")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}",
            hint="check free space and permissions, or set RESULTS_DIR",
        ) from error
    return version


def _rows(path: Path) -> Iterator[Example]:
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(path).iter_batches(batch_size=10_000, columns=list(Example._fields)):
        yield from map(Example._make, zip(*(column.to_pylist() for column in batch.columns), strict=True))


def load(version: str, results_dir: Path) -> list[Example]:
    """Read a version back; DatasetDamaged where its content no longer has the hash that is its name."""
    import pyarrow as pa

    path = version_path(results_dir, version)
    hint = "start the run again from its source file; the version is then written anew"
    if not path.exists():
        raise StorageError(f"the data set version {path} is missing", hint=hint, code="data.version_missing")
    try:
        examples = list(_rows(path))
        found = content_version(examples)
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise DatasetDamaged(f"{path} cannot be read: {error}", hint=hint) from error
    if found != version:
        raise DatasetDamaged(f"{path} is damaged: its content hashes to {found[:12]}, not to its name", hint=hint)
    return examples

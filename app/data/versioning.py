"""Data set versions: immutable, named by the sha256 of what is in them, sharing chunks, checked whenever read.

What names a person gives them is in `catalogue.py`.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from app.data.chunks import Example, chunk_path, content_hash, cut, encode, read_chunk, read_rows, write_chunk
from app.data.labels import label_order
from app.data.store_files import read_record, storage_errors, store_directory, store_lock, write_record
from app.domain.data_profile import DataProfile, read_kept
from app.domain.data_version import Chunk, Origin, VersionManifest, now
from app.domain.errors import DatasetDamaged, StorageError
from app.domain.wording import say

SPLITS = ("train", "eval", "test")
HINT = "start the run again from its source file, or add the data again; the version is then written anew"


def manifest_path(results_dir: Path, version: str) -> Path:
    """Where a version says of which chunks it is made."""
    return store_directory(results_dir) / "versions" / f"{version}.json"


def single_file_path(results_dir: Path, version: str) -> Path:
    """Where the rows of a version lie that was stored before versions shared chunks."""
    return store_directory(results_dir) / f"{version}.parquet"


def store(examples: list[Example], results_dir: Path, origin: Origin | None = None) -> str:
    """Store the examples and return their version; what is there already is not written again.

    The manifest comes last, so a version is there whole or not at all. `origin` is kept of whoever stores first;
    only a profile that is missing is added. StorageError, and nothing left behind, when the disk is full.
    """
    with store_lock(results_dir):
        return store_in_lock(examples, results_dir, origin)


def store_in_lock(examples: list[Example], results_dir: Path, origin: Origin | None = None) -> str:
    """As `store`, for who holds the store's lock."""
    digest = hashlib.sha256()
    chunks: list[Chunk] = []
    written: list[Path] = []
    try:
        for rows in cut(examples):
            for row in rows:
                digest.update(encode(row))
            chunk, is_new = write_chunk(rows, results_dir)
            chunks.append(chunk)
            if is_new:
                written.append(chunk_path(results_dir, chunk.sha256))
        _write_manifest(results_dir, _manifest(digest.hexdigest(), examples, chunks, origin or Origin()))
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return digest.hexdigest()


def _write_manifest(results_dir: Path, manifest: VersionManifest) -> None:
    path = manifest_path(results_dir, manifest.version)
    try:
        known = read_record(path, VersionManifest)
    except DatasetDamaged:
        write_record(path, manifest)
        return
    if manifest.origin.profile and not known.origin.profile:
        origin = known.origin.model_copy(update={"profile": manifest.origin.profile})
        write_record(path, known.model_copy(update={"origin": origin}))
        return
    with storage_errors(path):
        os.utime(path)  # what is in use again is not garbage, however old


def _manifest(version: str, examples: list[Example], chunks: list[Chunk], origin: Origin) -> VersionManifest:
    labels, splits = Counter(row.label for row in examples), Counter(row.split for row in examples)
    return VersionManifest(
        version=version,
        created_at=now(),
        columns=list(Example._fields),
        rows=len(examples),
        labels={label: labels[label] for label in label_order(labels)},
        splits={split: splits[split] for split in SPLITS if splits[split]},
        chunks=chunks,
        origin=origin,
    )


def read_manifest(version: str, results_dir: Path) -> VersionManifest:
    """What a version is made of; DatasetDamaged where its file is missing or is another version's."""
    path = manifest_path(results_dir, version)
    manifest = read_record(path, VersionManifest)
    if manifest.version != version:
        raise DatasetDamaged(say("{path} is damaged: it is about another version", path=path), hint=HINT)
    return manifest


def load(version: str, results_dir: Path) -> list[Example]:
    """Read a version back; DatasetDamaged, naming the file, where its content is not what its hash says."""
    path = manifest_path(results_dir, version)
    if path.is_file():
        chunks = read_manifest(version, results_dir).chunks
        examples = [row for chunk in chunks for row in read_chunk(chunk.sha256, results_dir)]
    else:
        old = single_file_path(results_dir, version)
        if not old.is_file():
            raise StorageError(
                say("the data set version {path} is missing", path=path), hint=HINT, code="data.version_missing"
            )
        path, examples = old, read_rows(old, HINT)
    if (found := content_hash(examples)) != version:
        raise DatasetDamaged(
            say("{path} is damaged: its content hashes to {found}, not to its name", path=path, found=found[:12]),
            hint=HINT,
        )
    return examples


def stored_profile(manifest: VersionManifest) -> DataProfile | None:
    """The profile a version keeps; None where it has none, or one of another schema."""
    return read_kept(manifest.origin.profile)


def read_chunks(manifest: VersionManifest, results_dir: Path) -> Iterator[list[Example]]:
    """The rows of a version, a chunk at a time, so that it need not fit into memory.

    DatasetDamaged, as soon as that can be told: for a chunk before it is given, for the whole after the last one.
    """
    digest = hashlib.sha256()
    for chunk in manifest.chunks:
        rows = read_chunk(chunk.sha256, results_dir)
        for row in rows:
            digest.update(encode(row))
        yield rows
    if digest.hexdigest() != manifest.version:
        path = manifest_path(results_dir, manifest.version)
        raise DatasetDamaged(say("{path} is damaged: its chunks are not those of this version", path=path), hint=HINT)


def read_part(manifest: VersionManifest, results_dir: Path, start: int, count: int) -> list[Example]:
    """`count` rows from the one at `start` on (from 0); only chunks that have some of them are read."""
    found: list[Example] = []
    first = 0
    for chunk in manifest.chunks:
        if first < start + count and first + chunk.rows > start:
            rows = read_chunk(chunk.sha256, results_dir)
            found += islice(rows, max(0, start - first), max(0, start + count - first))
        first += chunk.rows
    return found


def stored_bytes(versions: Iterable[str], results_dir: Path) -> int:
    """Bytes on disk of some versions together: manifests, and each chunk once however many of them share it."""
    paths = set()
    for version in versions:
        paths.add(manifest_path(results_dir, version))
        chunks = read_manifest(version, results_dir).chunks
        paths.update(chunk_path(results_dir, chunk.sha256) for chunk in chunks)
    return sum(path.stat().st_size for path in paths if path.is_file())


def stored_versions(results_dir: Path) -> list[tuple[str, Path]]:
    """Every version there is, with the file that must go for it to be gone."""
    root = store_directory(results_dir)
    paths = [*root.glob("*.parquet"), *root.glob("versions/*.json")]
    return sorted((path.stem, path) for path in paths)

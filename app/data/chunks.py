"""Rows in chunks that versions share: cut where a row's own hash says so, stored once, checked when read.

An inserted or removed row changes the chunk it is in, and the chunks around it stay as they were: content-defined
chunking, as in Muthitacharoen et al., "A Low-bandwidth Network File System" (2001), section 3.1, by rows, not bytes.
"""

import hashlib
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from app.data.store_files import store_directory, write_whole
from app.domain.data_version import Chunk
from app.domain.errors import DatasetDamaged
from app.domain.wording import say

MEAN_ROWS = 4096
MIN_ROWS = 256
MAX_ROWS = 4 * MEAN_ROWS
MAX_BYTES = 64 * 2**20


class Example(NamedTuple):
    """One row of a version; `split` is train, eval or test, `label` the label's name."""

    split: str
    text: str
    label: str


def encode(example: Example) -> bytes:
    """The canonical form of a row, which every hash is taken over: a JSON array in UTF-8, and a line feed."""
    return json.dumps(example, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def cut(examples: Iterable[Example]) -> Iterator[list[Example]]:
    """The rows in order, in pieces of about 4,096: where they end depends on the rows in the piece alone."""
    rows: list[Example] = []
    num_bytes = 0
    for example in examples:
        line = encode(example)
        rows.append(example)
        num_bytes += len(line)
        at_boundary = len(rows) >= MIN_ROWS and zlib.crc32(line) % MEAN_ROWS == 0
        if at_boundary or len(rows) >= MAX_ROWS or num_bytes >= MAX_BYTES:
            yield rows
            rows, num_bytes = [], 0
    if rows:
        yield rows


def content_hash(rows: Iterable[Example]) -> str:
    """Hex sha256 over the canonical form of the rows, in order."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(encode(row))
    return digest.hexdigest()


def chunk_path(results_dir: Path, sha256: str) -> Path:
    """Where the rows with that hash lie."""
    return store_directory(results_dir) / "chunks" / sha256[:2] / f"{sha256}.parquet"


def write_chunk(rows: list[Example], results_dir: Path) -> tuple[Chunk, bool]:
    """Store rows unless they are there and whole; True where there was no such chunk."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    chunk = Chunk(sha256=content_hash(rows), rows=len(rows))
    path = chunk_path(results_dir, chunk.sha256)
    is_new = not path.exists()
    try:
        read_chunk(chunk.sha256, results_dir)
    except DatasetDamaged:
        columns = zip(*rows, strict=True)
        table = pa.table({k: pa.array(c, pa.string()) for k, c in zip(Example._fields, columns, strict=True)})
        file = io.BytesIO()
        pq.write_table(table, file, compression="zstd")
        write_whole(path, file.getvalue())
    return chunk, is_new


def read_chunk(sha256: str, results_dir: Path) -> list[Example]:
    """The rows with that hash; DatasetDamaged, naming the file, where it is missing or no longer holds them."""
    path = chunk_path(results_dir, sha256)
    hint = "add the data again, or start the run again from its source file: what is damaged is then written anew"
    rows = read_rows(path, hint)
    if content_hash(rows) != sha256:
        raise DatasetDamaged(
            say("{path} is damaged: its content does not have the hash that is its name", path=path), hint=hint
        )
    return rows


def read_rows(path: Path, hint: str) -> list[Example]:
    """The rows of a Parquet file, unchecked; DatasetDamaged where it cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            columns = [column.to_pylist() for column in file.read(columns=list(Example._fields)).columns]
        return list(map(Example._make, zip(*columns, strict=True)))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatasetDamaged(say("{path} cannot be read: {reason}", path=path, reason=reason), hint=hint) from error

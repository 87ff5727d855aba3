"""The rows of stored versions: some of them, what changed between two, a whole copy, a profile that was not kept.

A child process reads them. Whoever sees rows takes data away, so each time is recorded before they are given.
"""

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from app.domain.data_profile import DataProfile
from app.domain.data_version import NamedVersion
from app.domain.principal import Caller, Principal
from app.schemas.datasets import DatasetRowView, DiffView
from app.schemas.paging import Page
from app.services import data_set_access, data_sets_shared, data_work
from app.services.data_work import Bounds, Stopped, Work
from app.services.paging import decode_cursor, encode_cursor
from app.services.platform import Platform

ExportFormat = Literal["csv", "tsv", "jsonl", "parquet"]
Split = Literal["train", "eval", "test"]
MEDIA_TYPES: dict[ExportFormat, str] = {
    "csv": "text/csv; charset=utf-8",
    "tsv": "text/tab-separated-values; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
_READ_BOUNDS = Bounds(memory_bytes=768 * 2**20, seconds=120.0, cpu_seconds=100)
_EXPORT_BOUNDS = Bounds(memory_bytes=768 * 2**20, seconds=3600.0, cpu_seconds=3000, file_bytes=200 * 2**30)
_DOWNLOAD = "dataset.download"


@dataclass(frozen=True)
class Export:
    """A copy to be sent: an open file that has no name any more, so it goes with whoever sends it."""

    file: IO[bytes]
    size_bytes: int
    filename: str
    media_type: str


def list_rows(
    platform: Platform,
    caller: Caller,
    name: str,
    number: int,
    *,
    split: Split | None,
    cursor: str | None,
    limit: int,
    stopped: Stopped,
) -> Page[DatasetRowView]:
    """Some rows of a version, in order, or of one split of it."""
    entry = _find(platform, caller, name, number)
    scope = f"rows:{entry.version}:{split}"
    start = int(str(decode_cursor(cursor, scope, [int])[0])) if cursor else 0
    fields = {"reference": str(entry), "split": split, "start": max(0, start), "limit": limit}
    found = _read(platform, "rows", fields, stopped)
    items = [DatasetRowView.model_validate(row) for row in found["items"]]
    details = {"what": "rows", "first": items[0].row if items else None, "num_rows": len(items)}
    platform.audit.append_now(caller, _DOWNLOAD, f"dataset:{entry}", "success", details)
    end = start + len(items)
    return Page(items=items, total=found["total"], next=encode_cursor(scope, [end]) if end < found["total"] else None)


def diff(
    platform: Platform, caller: Caller, name: str, old: int, new: int, *, limit: int, stopped: Stopped
) -> DiffView:
    """What changed from one version of a data set to another."""
    before, after = _find(platform, caller, name, old), _find(platform, caller, name, new)
    fields = {"old": str(before), "new": str(after), "limit": limit}
    found = DiffView.model_validate(_read(platform, "diff", fields, stopped))
    details = {"what": "diff", "old": before.number, "new": after.number}
    platform.audit.append_now(caller, _DOWNLOAD, f"dataset:{name}", "success", details)
    return found


def profile(
    platform: Platform, caller: Caller, name: str, number: int, *, with_map: bool, stopped: Stopped
) -> DataProfile:
    """What a version looks like: as it was stored with it, else made now; a map is made when it is asked for."""
    entry, kept = data_sets_shared.stored_profile(platform, _principal(caller), name, number)
    if kept is not None and (kept.map is not None or not with_map):
        return kept
    fields = {"reference": str(entry), "map": with_map}
    return DataProfile.model_validate(_read(platform, "profile", fields, stopped, Bounds()))


def export(
    platform: Platform,
    caller: Caller,
    name: str,
    number: int,
    *,
    file_format: ExportFormat,
    split: Split | None,
    stopped: Stopped,
) -> Export:
    """A copy of a version, or of one split of it, as a file of that format."""
    entry = _find(platform, caller, name, number)
    with _directory(platform) as directory:
        file = f"rows.{file_format}"
        fields = {"reference": str(entry), "split": split, "file": file}
        work = Work("export", platform.settings.results_dir, directory, fields, bounds=_EXPORT_BOUNDS)
        found = data_work.run(work, stopped)
        opened = (directory / file).open("rb")
    details = {"what": "export", "format": file_format, "split": split, "num_rows": found["rows"]}
    try:
        platform.audit.append_now(caller, _DOWNLOAD, f"dataset:{entry}", "success", details)
    except BaseException:
        opened.close()
        raise
    filename = "-".join([name, str(number), *([split] if split else [])]) + f".{file_format}"
    return Export(opened, found["bytes"], filename, MEDIA_TYPES[file_format])


def _principal(caller: Caller) -> Principal:
    assert caller.principal is not None, "the route asks for a sign-in"
    return caller.principal


def _find(platform: Platform, caller: Caller, name: str, number: int) -> NamedVersion:
    with platform.installation.database.read() as session:
        seen = data_set_access.find(session, platform.settings.results_dir, _principal(caller), name)
        return seen.version(number)


def _read(
    platform: Platform, action: str, fields: Mapping[str, Any], stopped: Stopped, bounds: Bounds = _READ_BOUNDS
) -> dict[str, Any]:
    with _directory(platform) as directory:
        return data_work.run(Work(action, platform.settings.results_dir, directory, fields, bounds=bounds), stopped)


@contextmanager
def _directory(platform: Platform) -> Iterator[Path]:
    """Room for a child's temporary files; beside the uploads, where orphans are looked for."""
    directory = platform.settings.uploads_dir / str(uuid.uuid4())
    directory.mkdir(mode=0o700, parents=True)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)

"""Free what nothing refers to: no name, no run, and no process that writes now."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from app.data import catalogue
from app.data.store_files import TEMPORARY_SUFFIX, storage_errors, store_directory, store_lock
from app.data.versioning import manifest_path, read_manifest, stored_versions
from app.domain.data_version import Garbage
from app.domain.errors import StorageError
from app.domain.wording import say


def versions_of_runs(results_dir: Path) -> set[str]:
    """The versions that runs were trained on; StorageError where a run cannot be asked, so nothing is guessed."""
    found = set()
    for path in results_dir.glob("*/data_report.json"):
        try:
            found.add(str(json.loads(path.read_bytes())["identity"]["version"]))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StorageError(
                say(
                    "cannot tell which data {name} was trained on: {path} cannot be read",
                    name=path.parent.name,
                    path=path,
                ),
                hint="bring the file back, or delete the run; nothing was removed",
                code="storage.unreadable",
            ) from error
    return found


def collect(
    results_dir: Path,
    *,
    grace_seconds: float,
    dry_run: bool = False,
    patience_seconds: float | None = None,
    recorded: Callable[[Garbage], AbstractContextManager[object]] = nullcontext,
) -> Garbage:
    """Remove versions, chunks and temporary files that nothing refers to and that are older than the grace.

    Waits for processes that write (StorageError after `patience_seconds`), and keeps others from beginning. The grace
    covers a version that is stored while the run that will refer to it is not made yet. DatasetDamaged, and nothing
    removed, where the manifest of a version that stays cannot be read. Files are removed inside `recorded`.
    """
    if not store_directory(results_dir).is_dir():
        return Garbage(versions=[], num_chunks=0, num_temporary=0, bytes=0)
    newest = time.time() - grace_seconds
    with store_lock(results_dir, patience_seconds):
        versions = stored_versions(results_dir)
        wanted = versions_of_runs(results_dir) | {entry.version for entry in catalogue.all_entries(results_dir)}
        dropped = [(v, path) for v, path in versions if v not in wanted and path.stat().st_mtime <= newest]
        kept = (v for v, path in versions if (v, path) not in dropped and path == manifest_path(results_dir, v))
        live = {chunk.sha256 for version in kept for chunk in read_manifest(version, results_dir).chunks}
        root = store_directory(results_dir)
        chunks = [path for path in _old(root.glob("chunks/*/*.parquet"), newest) if path.stem not in live]
        temporary = list(_old(root.rglob(f".*{TEMPORARY_SUFFIX}"), newest))
        # Manifests go first: cut short, this leaves chunks without a version, never a version without its chunks.
        doomed = [*(path for _, path in dropped), *chunks, *temporary]
        garbage = Garbage(
            versions=[v for v, _ in dropped],
            num_chunks=len(chunks),
            num_temporary=len(temporary),
            bytes=sum(path.stat().st_size for path in doomed),
        )
        if doomed and not dry_run:
            with recorded(garbage):
                _remove(doomed)
    return garbage


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with storage_errors(path):
            path.unlink(missing_ok=True)


def _old(paths: Iterable[Path], newest: float) -> Iterator[Path]:
    return (path for path in paths if path.stat().st_mtime <= newest)

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.data import catalogue
from app.data.chunks import Example
from app.data.garbage import collect
from app.data.store_files import store_lock
from app.data.versioning import load, manifest_path, store, store_in_lock
from app.domain.errors import DatasetDamaged, StorageError


def _rows(first: int, count: int) -> list[Example]:
    return [Example("train", f"text {i}", str(i % 2)) for i in range(first, first + count)]


def _run(results_dir: Path, name: str, version: str) -> Path:
    path = results_dir / name / "data_report.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"identity": {"version": version}}))
    return path


def test_what_a_name_or_a_run_refers_to_stays_and_the_rest_goes(tmp_path: Path) -> None:
    named, used, free = (store(_rows(first, 50), tmp_path) for first in (0, 100, 200))
    catalogue.add(tmp_path, "kept", named, None)
    _run(tmp_path, "run-001", used)
    found = collect(tmp_path, grace_seconds=0)
    assert (found.versions, found.num_chunks) == ([free], 1)
    assert load(named, tmp_path) == _rows(0, 50)
    assert load(used, tmp_path) == _rows(100, 50)
    with pytest.raises(StorageError):
        load(free, tmp_path)


def test_chunks_that_a_kept_version_shares_stay(tmp_path: Path) -> None:
    long, longer = _rows(0, 20_000), _rows(0, 20_100)
    kept, free = store(long, tmp_path), store(longer, tmp_path)
    catalogue.add(tmp_path, "kept", kept, None)
    assert collect(tmp_path, grace_seconds=0).versions == [free]
    assert load(kept, tmp_path) == long


def test_a_removed_version_that_a_run_was_trained_on_stays_until_the_run_is_gone(tmp_path: Path) -> None:
    version = store(_rows(0, 50), tmp_path)
    report = _run(tmp_path, "run-001", version)
    catalogue.remove(tmp_path, catalogue.add(tmp_path, "gone", version, None))
    assert collect(tmp_path, grace_seconds=0).versions == []
    report.unlink()
    assert collect(tmp_path, grace_seconds=0).versions == [version]


def test_what_is_young_or_was_stored_again_lately_stays(tmp_path: Path) -> None:
    version = store(_rows(0, 50), tmp_path)
    assert collect(tmp_path, grace_seconds=60).versions == []
    for path in (tmp_path / "datasets").rglob("*.*"):
        os.utime(path, (0, 0))
    store(_rows(0, 50), tmp_path)
    assert collect(tmp_path, grace_seconds=60).versions == []
    assert load(version, tmp_path) == _rows(0, 50)


def test_a_dry_run_says_what_would_go_and_removes_nothing(tmp_path: Path) -> None:
    version = store(_rows(0, 50), tmp_path)
    left = tmp_path / "datasets" / "versions" / ".x.json.123.tmp"
    left.write_text("cut short")
    found = collect(tmp_path, grace_seconds=0, dry_run=True)
    assert (found.versions, found.num_chunks, found.num_temporary) == ([version], 1, 1)
    assert found.bytes > 0
    assert load(version, tmp_path) == _rows(0, 50)
    assert collect(tmp_path, grace_seconds=0) == found
    assert not left.exists()


def test_a_run_that_cannot_be_asked_stops_everything(tmp_path: Path) -> None:
    version = store(_rows(0, 50), tmp_path)
    _run(tmp_path, "run-001", version).write_text("{")
    with pytest.raises(StorageError, match="run-001"):
        collect(tmp_path, grace_seconds=0)
    assert load(version, tmp_path) == _rows(0, 50)


def test_a_damaged_version_that_must_stay_stops_everything(tmp_path: Path) -> None:
    kept, free = store(_rows(0, 50), tmp_path), store(_rows(100, 50), tmp_path)
    catalogue.add(tmp_path, "kept", kept, None)
    manifest_path(tmp_path, kept).write_text("{}")
    with pytest.raises(DatasetDamaged, match=kept):
        collect(tmp_path, grace_seconds=0)
    assert load(free, tmp_path) == _rows(100, 50)


def test_garbage_waits_for_a_process_that_writes(tmp_path: Path, repository: Path) -> None:
    code = (
        "from pathlib import Path\nfrom app.data.garbage import collect\n"
        f"collect(Path({str(tmp_path)!r}), grace_seconds=0)"
    )
    with store_lock(tmp_path):
        version = store_in_lock(_rows(0, 50), tmp_path)
        process = subprocess.Popen([sys.executable, "-c", code], cwd=repository)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1.5)
        catalogue.add(tmp_path, "late", version, None)
    assert process.wait(timeout=60) == 0
    assert load(version, tmp_path) == _rows(0, 50)

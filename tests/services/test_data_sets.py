"""Adding to a data set: by several processes at once, over damage, and as training on a bare file does."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from app.data import catalogue, versioning
from app.data.store_files import store_directory
from app.db.session import open_database
from app.domain.data_version import DamagedManifest
from app.domain.errors import DatasetDamaged
from app.domain.train_config import DataConfig, TrainConfig
from app.services import data_sets, training
from app.services.installation import Installation

WORDS = ("food", "room", "staff", "view", "bed", "bath", "bar", "lift", "key", "bill")


def _file(folder: Path, number: int, rows: int = 40) -> str:
    """Rows 0 to `rows`, of which the last is this file's own."""
    path = folder / f"rows{number}.csv"
    moods = ("fine", "awful")
    lines = [
        f"the {WORDS[n % 10]} of house {n * n} on day {n} was {moods[n // 10 % 2]},{moods[n // 10 % 2]}"
        for n in range(rows)
    ]
    lines.append(f"only in file {number}: nobody came to see us,{moods[number % 2]}")
    path.write_text("\n".join(["text,label", *lines, ""]), encoding="utf-8")
    return str(path)


def _add(work: tuple[Path, str]) -> str:
    entry, _ = data_sets.add(work[0], "busy", DataConfig(train=work[1]), seed=42)
    return entry.version


def test_processes_that_add_at_once_follow_each_other_and_keep_the_splits(tmp_path: Path) -> None:
    results = tmp_path / "results"
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        versions = list(pool.map(_add, [(results, _file(tmp_path, number)) for number in range(3)]))
    entries = catalogue.entries(results, "busy")
    assert sorted(entry.version for entry in entries) == sorted(versions)
    assert [entry.parent for entry in entries] == [None, entries[0].version, entries[1].version]
    sides: dict[str, set[str]] = {}
    for entry in entries:
        for row in versioning.load(entry.version, results):
            sides.setdefault(row.text, set()).add(row.split)
    assert {len(found) for found in sides.values()} == {1}


@pytest.mark.parametrize("part", ["chunks/*/*.parquet", "versions/*.json"])
def test_what_is_damaged_is_shown_as_such_and_mended_by_adding_it_again(tmp_path: Path, part: str) -> None:
    results, source = tmp_path / "results", _file(tmp_path, 1)
    entry, _ = data_sets.add(results, "reviews", DataConfig(train=source), seed=42)
    (path,) = store_directory(results).glob(part)
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"XYZ" + content[103:])
    with pytest.raises(DatasetDamaged):
        data_sets.show(results, "reviews")
    ((_, manifest),) = data_sets.list_versions(results)
    assert isinstance(manifest, DamagedManifest) is part.startswith("versions")
    again, is_new = data_sets.add(results, "reviews", DataConfig(train=source), seed=42)
    assert (again, is_new) == (entry, False)
    assert data_sets.show(results, "reviews")[1].rows == 41


def test_training_on_a_bare_file_keeps_a_version_with_a_profile_that_can_be_shown(tmp_path: Path) -> None:
    results = tmp_path / "results"
    installation = Installation(open_database(f"sqlite:///{results}/experiments.db"), results, ())
    config = TrainConfig(data=DataConfig(train=_file(tmp_path, 1)))
    version = training.check_data(installation, config).identity.version
    entry, manifest = data_sets.show(results, version[:12])
    assert str(entry) == version[:12]
    profile = versioning.stored_profile(manifest)
    assert profile is not None
    assert (profile.rows, profile.tokens_by) == (41, "minilm")

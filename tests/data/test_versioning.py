from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.data.versioning import Example, content_version, load, store, version_path
from app.domain.errors import DatasetDamaged, StorageError

EXAMPLES = [Example("train", "好吃", "1"), Example("train", "a, b\n", "0"), Example("eval", "c", "1")]


def test_a_version_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    version = store(EXAMPLES, tmp_path)
    assert version == content_version(EXAMPLES)
    assert load(version, tmp_path) == EXAMPLES
    assert [p.name for p in (tmp_path / "datasets").iterdir()] == [f"{version}.parquet"]


def test_a_version_is_written_once(tmp_path: Path) -> None:
    path = version_path(tmp_path, store(EXAMPLES, tmp_path))
    before = path.stat()
    store(EXAMPLES, tmp_path)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    "other",
    [
        EXAMPLES[::-1],
        EXAMPLES[:2],
        [EXAMPLES[0]._replace(label="0"), *EXAMPLES[1:]],
        [*EXAMPLES[:2], Example("test", "c", "1")],
    ],
)
def test_any_change_of_rows_is_another_version(other: list[Example]) -> None:
    assert content_version(other) != content_version(EXAMPLES)


def test_changed_content_is_found_when_read(tmp_path: Path) -> None:
    version = store(EXAMPLES, tmp_path)
    path = version_path(tmp_path, version)
    table = pq.read_table(path)
    pq.write_table(table.set_column(2, "label", pa.array(["1", "1", "1"])), path)
    with pytest.raises(DatasetDamaged, match=version[:12]) as caught:
        load(version, tmp_path)
    assert caught.value.hint


def test_a_cut_file_is_found_when_read_and_written_anew_when_stored(tmp_path: Path) -> None:
    version = store(EXAMPLES, tmp_path)
    path = version_path(tmp_path, version)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DatasetDamaged):
        load(version, tmp_path)
    assert store(EXAMPLES, tmp_path) == version
    assert load(version, tmp_path) == EXAMPLES


def test_a_missing_version_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"0000\.parquet"):
        load("0000", tmp_path)


def test_a_place_that_cannot_be_written_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "datasets").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot write") as caught:
        store(EXAMPLES, tmp_path)
    assert "RESULTS_DIR" in caught.value.hint

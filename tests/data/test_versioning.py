import random
import resource
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.data.chunks import Example, content_hash, cut
from app.data.versioning import load, manifest_path, read_manifest, single_file_path, store
from app.domain.data_version import Origin
from app.domain.errors import DatasetDamaged, StorageError

EXAMPLES = [Example("train", "好吃", "1"), Example("train", "a, b\n", "0"), Example("eval", "c", "1")]


def _many(count: int) -> list[Example]:
    draw = random.Random(0)
    return [Example("train", f"text {i} {draw.random()}", str(i % 3)) for i in range(count)]


def _chunks(results_dir: Path) -> list[Path]:
    return sorted((results_dir / "datasets").glob("chunks/*/*.parquet"))


def test_a_version_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    version = store(EXAMPLES, tmp_path)
    assert version == content_hash(EXAMPLES)
    assert load(version, tmp_path) == EXAMPLES
    manifest = read_manifest(version, tmp_path)
    assert (manifest.rows, manifest.labels, manifest.splits) == (3, {"0": 1, "1": 2}, {"train": 2, "eval": 1})


def test_a_version_of_many_chunks_comes_back_in_order(tmp_path: Path) -> None:
    examples = _many(20_000)
    version = store(examples, tmp_path)
    assert len(_chunks(tmp_path)) > 2
    assert load(version, tmp_path) == examples


def test_what_is_there_is_not_written_again(tmp_path: Path) -> None:
    store(EXAMPLES, tmp_path)
    (path,) = _chunks(tmp_path)
    before = path.stat()
    store(EXAMPLES, tmp_path)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("place", [0, 10_000, 19_999])
def test_a_changed_row_costs_few_new_chunks(tmp_path: Path, place: int) -> None:
    examples = _many(20_000)
    store(examples, tmp_path)
    before = set(_chunks(tmp_path))
    store([*examples[:place], Example("train", "one more", "0"), *examples[place:]], tmp_path)
    assert len(set(_chunks(tmp_path)) - before) <= 2


def test_equal_rows_make_no_flood_of_chunks() -> None:
    assert len(list(cut([EXAMPLES[0]] * 10_000))) <= 10_000 // 256 + 1


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
    assert content_hash(other) != content_hash(EXAMPLES)


def test_changed_content_is_found_when_read(tmp_path: Path) -> None:
    version = store(EXAMPLES, tmp_path)
    (path,) = _chunks(tmp_path)
    table = pq.read_table(path)
    pq.write_table(table.set_column(2, "label", pa.array(["1", "1", "1"])), path)
    with pytest.raises(DatasetDamaged, match=path.name) as caught:
        load(version, tmp_path)
    assert caught.value.hint


def test_a_cut_file_is_found_when_read_and_written_anew_when_stored(tmp_path: Path) -> None:
    version = store(EXAMPLES, tmp_path)
    (path,) = _chunks(tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DatasetDamaged, match=path.name):
        load(version, tmp_path)
    assert store(EXAMPLES, tmp_path) == version
    assert load(version, tmp_path) == EXAMPLES


def test_a_missing_chunk_is_named(tmp_path: Path) -> None:
    version = store(EXAMPLES, tmp_path)
    (path,) = _chunks(tmp_path)
    path.unlink()
    with pytest.raises(DatasetDamaged, match=path.name):
        load(version, tmp_path)


@pytest.mark.parametrize(("old", "new"), [('"rows": 3', '"rows": 4'), ("{", "")])
def test_a_changed_manifest_is_found_and_written_anew(tmp_path: Path, old: str, new: str) -> None:
    version = store(EXAMPLES, tmp_path)
    path = manifest_path(tmp_path, version)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DatasetDamaged, match=path.name):
        load(version, tmp_path)
    store(EXAMPLES, tmp_path)
    assert load(version, tmp_path) == EXAMPLES


def test_a_profile_that_comes_later_is_kept_with_the_version(tmp_path: Path) -> None:
    version = store(EXAMPLES, tmp_path, Origin(split_seed=7))
    store(EXAMPLES, tmp_path, Origin(split_seed=8, profile={"languages": ["zh"]}))
    origin = read_manifest(version, tmp_path).origin
    assert (origin.split_seed, origin.profile) == (7, {"languages": ["zh"]})


def test_a_missing_version_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"0000\.json"):
        load("0000", tmp_path)


def test_a_version_stored_in_one_file_by_an_earlier_run_still_loads(tmp_path: Path) -> None:
    version = content_hash(EXAMPLES)
    path = single_file_path(tmp_path, version)
    path.parent.mkdir()
    columns = zip(Example._fields, zip(*EXAMPLES, strict=True), strict=True)
    pq.write_table(pa.table({name: pa.array(values) for name, values in columns}), path)
    assert load(version, tmp_path) == EXAMPLES
    path.rename(single_file_path(tmp_path, "0" * 64))
    with pytest.raises(DatasetDamaged, match="000"):
        load("0" * 64, tmp_path)


def test_a_place_that_cannot_be_written_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "datasets").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot write") as caught:
        store(EXAMPLES, tmp_path)
    assert "RESULTS_DIR" in caught.value.hint


def test_a_file_that_may_not_grow_leaves_nothing_half_written(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(StorageError, match="cannot write") as caught:
            store([*EXAMPLES * 100, *_many(20_000)], tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code == "storage.full"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [".lock"]


def test_a_full_disk_leaves_what_was_stored_before_whole(tmp_path: Path, repository: Path) -> None:
    probe = ["unshare", "--user", "--map-root-user", "--mount"]
    disk = tmp_path / "disk"
    disk.mkdir()
    code = (
        "import sys\nfrom pathlib import Path\nfrom app.data.chunks import Example\n"
        "from app.data.versioning import load, store\nfrom app.domain.errors import StorageError\n"
        "import random\nplace = Path(sys.argv[1])\nfew = [Example('train', 'a', 'x')]\nkept = store(few, place)\n"
        "before = sorted(place.rglob('*.*'))\n"
        "many = [Example('train', str(random.random()), 'x') for _ in range(60_000)]\n"
        "try:\n    store(many, place)\nexcept StorageError as error:\n"
        "    print(error.code, load(kept, place) == few, sorted(place.rglob('*.*')) == before)"
    )
    script = 'mount -t tmpfs -o size=500k tmpfs "$1" && exec "$2" -c "$3" "$1"'
    command = [*probe, "sh", "-c", script, "sh", str(disk), sys.executable, code]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip("this machine lets no user mount a small file system to fill")
    assert done.stdout.split() == ["storage.full", "True", "True"], done.stderr[-2000:]


def test_processes_that_store_the_same_at_once_all_succeed(tmp_path: Path, repository: Path) -> None:
    code = (
        "from pathlib import Path\nfrom app.data.chunks import Example\nfrom app.data.versioning import store\n"
        "from app.data.catalogue import add\n"
        "rows = [Example('train', f'text {i}', str(i % 2)) for i in range(9000)]\n"
        f"version = store(rows, Path({str(tmp_path)!r}))\nprint(add(Path({str(tmp_path)!r}), 'same', version, None))"
    )
    command = [sys.executable, "-c", code]
    started = [subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=60)[0].strip() for process in started] == ["same@1"] * 4
    rows = [Example("train", f"text {i}", str(i % 2)) for i in range(9000)]
    assert load(content_hash(rows), tmp_path) == rows
    assert not list(tmp_path.rglob("*.tmp"))

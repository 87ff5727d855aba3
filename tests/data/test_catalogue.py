from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from app.data import catalogue, versioning
from app.data.chunks import Example
from app.domain.errors import DatasetDamaged, InvalidInput, NotFound


def test_versions_of_a_name_are_numbered_and_the_name_alone_is_the_newest(tmp_path: Path) -> None:
    assert str(catalogue.add(tmp_path, "reviews", "a" * 64, None)) == "reviews@1"
    assert str(catalogue.add(tmp_path, "reviews", "b" * 64, "a" * 64)) == "reviews@2"
    assert catalogue.find(tmp_path, "reviews").version == "b" * 64
    assert catalogue.find(tmp_path, "reviews@1").version == "a" * 64
    assert catalogue.find(tmp_path, "reviews@2").parent == "a" * 64


def test_the_same_content_keeps_its_number(tmp_path: Path) -> None:
    first = catalogue.add(tmp_path, "reviews", "a" * 64, None)
    catalogue.add(tmp_path, "reviews", "b" * 64, None)
    assert catalogue.add(tmp_path, "reviews", "a" * 64, "b" * 64) == first


def test_a_removed_number_is_not_given_again(tmp_path: Path) -> None:
    catalogue.remove(tmp_path, catalogue.add(tmp_path, "reviews", "a" * 64, None))
    assert catalogue.names(tmp_path) == []
    assert str(catalogue.add(tmp_path, "reviews", "a" * 64, None)) == "reviews@2"
    with pytest.raises(NotFound, match="no reviews@1"):
        catalogue.find(tmp_path, "reviews@1")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../up", "a/b", "a\\b", "-x", "x.", "a b", "名", "a@1", "x" * 101, "a\n"]
)
def test_a_name_that_is_no_plain_word_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be used"):
        catalogue.add(tmp_path, name, "a" * 64, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("reference", ["../x@1", "reviews@", "reviews@x", "reviews@-1", "@1"])
def test_a_reference_that_is_none_is_refused(tmp_path: Path, reference: str) -> None:
    with pytest.raises(InvalidInput, match="is no data set version"):
        catalogue.find(tmp_path, reference)


def test_a_changed_entry_is_found_when_read(tmp_path: Path) -> None:
    catalogue.add(tmp_path, "reviews", "a" * 64, None)
    path = catalogue.entry_path(tmp_path, "reviews", 1)
    path.write_text(path.read_text().replace("aaaa", "bbbb"))
    with pytest.raises(DatasetDamaged, match=r"00001\.json"):
        catalogue.find(tmp_path, "reviews")


def _add(work: tuple[Path, str]) -> int:
    return catalogue.add(work[0], "busy", work[1], None).number


def test_processes_that_add_at_once_never_share_a_number(tmp_path: Path) -> None:
    versions = [f"{i % 10:064d}" for i in range(40)]
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as pool:
        numbers = list(pool.map(_add, [(tmp_path, version) for version in versions]))
    assert sorted(set(numbers)) == list(range(1, 11))
    assert numbers == [{e.version: e.number for e in catalogue.entries(tmp_path, "busy")}[v] for v in versions]


def test_a_version_without_a_name_is_found_by_the_beginning_of_its_hash(tmp_path: Path) -> None:
    version = versioning.store([Example("train", "one text", "a"), Example("eval", "another", "b")], tmp_path)
    found = catalogue.find(tmp_path, version[:10])
    assert (found.version, found.number, str(found)) == (version, 0, version[:12])
    with pytest.raises(NotFound):
        catalogue.find(tmp_path, version[:7])
    with pytest.raises(NotFound):
        catalogue.find(tmp_path, "0123456789")

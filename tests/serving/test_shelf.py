"""The shelf keeps few models, loads each once, and lets nobody wait for another's."""

import os
import threading
from concurrent.futures import wait
from pathlib import Path

import pytest

from app.domain.errors import StorageError
from app.runs.directory import RunDirectory
from app.serving.shelf import Shelf

SECONDS = 30


class Model:
    """What a loader makes; every one is another."""

    def __init__(self, name: str) -> None:
        self.name = name


class Loader:
    """Loads by name, and remembers; loading `slow` waits until it may go on."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.may_go_on, self.began = threading.Event(), threading.Event()
        self.fault: Exception | None = None

    def __call__(self, run: RunDirectory) -> Model:
        self.loaded.append(run.name)
        if run.name == "slow":
            self.began.set()
            assert self.may_go_on.wait(SECONDS)
        if self.fault:
            raise self.fault
        return Model(run.name)


@pytest.fixture
def loader() -> Loader:
    return Loader()


def run(folder: Path, name: str) -> RunDirectory:
    """A complete run, as far as the shelf cares."""
    made = RunDirectory(folder / name)
    made.path.mkdir(exist_ok=True)
    if not made.is_complete:
        made.receipt.touch()
    return made


def test_a_model_is_loaded_once_and_the_longest_unused_is_let_go(loader: Loader, tmp_path: Path) -> None:
    shelf = Shelf(loader, most=2)
    first = shelf.take(run(tmp_path, "a")).result(SECONDS)
    shelf.take(run(tmp_path, "b")).result(SECONDS)
    assert shelf.take(run(tmp_path, "a")).result(SECONDS) is first
    shelf.take(run(tmp_path, "c")).result(SECONDS)
    assert shelf.take(run(tmp_path, "a")).result(SECONDS) is first, "b was unused for longer"
    assert loader.loaded == ["a", "b", "c"]
    assert shelf.num_loaded == 2
    shelf.take(run(tmp_path, "b")).result(SECONDS)
    assert loader.loaded == ["a", "b", "c", "b"]


def test_while_one_is_loaded_the_others_answer_and_who_asks_for_it_waits_for_the_same(
    loader: Loader, tmp_path: Path
) -> None:
    shelf = Shelf(loader, most=2)
    ready = shelf.take(run(tmp_path, "a")).result(SECONDS)
    waiting = [shelf.take(run(tmp_path, "slow")) for _ in range(3)]
    assert loader.began.wait(SECONDS)
    assert shelf.take(run(tmp_path, "a")).result(0) is ready
    assert not any(one.done() for one in waiting)
    assert shelf.num_loaded == 1
    loader.may_go_on.set()
    wait(waiting, SECONDS)
    assert len({id(one.result(0)) for one in waiting}) == 1
    assert loader.loaded == ["a", "slow"]


def test_what_could_not_be_loaded_is_tried_again(loader: Loader, tmp_path: Path) -> None:
    shelf = Shelf(loader, most=2)
    loader.fault = StorageError("damaged", code="run.damaged")
    with pytest.raises(StorageError, match="damaged"):
        shelf.take(run(tmp_path, "a")).result(SECONDS)
    loader.fault = None
    assert shelf.take(run(tmp_path, "a")).result(SECONDS).name == "a"


def test_another_run_of_the_same_name_is_another_model(loader: Loader, tmp_path: Path) -> None:
    shelf = Shelf(loader, most=2)
    before = shelf.take(run(tmp_path, "a")).result(SECONDS)
    os.utime(run(tmp_path, "a").receipt, ns=(1, 1))
    assert shelf.take(run(tmp_path, "a")).result(SECONDS) is not before
    assert shelf.num_loaded == 1


def test_a_run_without_a_receipt_has_no_model(loader: Loader, tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        Shelf(loader, most=2).take(RunDirectory(tmp_path / "a"))
    assert caught.value.code == "run.incomplete"

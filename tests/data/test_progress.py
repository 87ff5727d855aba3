from pathlib import Path

import pytest

from app.data import progress
from app.data.prepare import check
from app.data.progress import counted, watched_by
from app.domain.train_config import DataConfig


def test_who_watches_hears_start_steps_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY_ROWS", 4)
    heard: list[tuple[str, int, int | None]] = []
    with watched_by(lambda *told: heard.append(told)):
        assert list(counted(range(9), "counting", 9)) == list(range(9))
    assert heard == [("counting", 0, 9), ("counting", 4, 9), ("counting", 8, 9), ("counting", 9, 9)]
    assert list(counted(range(9), "unwatched", 9)) == list(range(9))
    assert len(heard) == 4


def test_a_check_tells_of_each_of_its_passes_and_ends_them_all(assets: Path) -> None:
    last: dict[str, tuple[int, int | None]] = {}

    def watch(what: str, done: int, total: int | None) -> None:
        last[what] = (done, total)

    with watched_by(watch):
        check(DataConfig(train=str(assets / "data" / "banking77" / "train.csv")))
    assert next(iter(last)) == "reading"
    assert {"reading", "markup", "scripts", "personal data", "repeated texts", "near duplicates"} <= set(last)
    assert last["reading"] == (10003, 10003)
    assert all(done == total for done, total in last.values())


def test_the_number_of_rows_is_foreseen_from_the_size_of_the_file(assets: Path) -> None:
    foreseen: list[int | None] = []

    def watch(what: str, done: int, total: int | None) -> None:
        if what == "reading" and done == 0:
            foreseen.append(total)

    with watched_by(watch):
        check(DataConfig(train=str(assets / "data" / "emotion" / "train.txt")))
    assert foreseen[0] is not None
    assert 0.8 * 16000 < foreseen[0] < 1.25 * 16000

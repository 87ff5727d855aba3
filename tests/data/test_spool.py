import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.data import spool
from app.data.prepare import check
from app.data.readers import read
from app.data.spool import Joined, Selected, Spool, SpooledTexts, select
from app.domain.train_config import DataConfig

TEXTS = st.lists(st.text(st.characters(), max_size=30), max_size=40)


def _spooled(texts: list[str]) -> SpooledTexts:
    spooled = SpooledTexts()
    for text in texts:
        spooled.append(text)
    spooled.flush()
    return spooled


@given(TEXTS)
def test_texts_come_back_from_the_file_as_they_were(texts: list[str]) -> None:
    spooled = _spooled(texts)
    assert len(spooled) == len(texts)
    assert list(spooled) == [spooled[i] for i in range(len(texts))] == spooled[:] == texts
    assert spooled[-3:] == texts[-3:]
    with pytest.raises(IndexError):
        spooled[len(texts)]


def test_long_and_short_texts_are_read_in_order_across_pieces() -> None:
    texts = ["x" * (1 << 20), "", "é" * (1 << 20), *(f"text {n}" for n in range(200_000)), "y" * (3 << 20)]
    assert list(_spooled(texts)) == texts


@given(TEXTS, TEXTS, st.data())
def test_views_are_what_copies_would_be(first: list[str], second: list[str], data: st.DataObject) -> None:
    places = sorted(data.draw(st.sets(st.integers(0, max(0, len(first) - 1)), max_size=len(first))) if first else [])
    for view, copy in (
        (Selected(_spooled(first), places), [first[place] for place in places]),
        (Joined(first, _spooled(second)), first + second),
    ):
        assert len(view) == len(copy)
        assert list(view) == view[:] == [view[i] for i in range(len(copy))] == copy
    assert select(first, places) == [first[place] for place in places]


def test_a_spool_is_a_list_until_it_grows_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MEMORY_CHARS", 10)
    small, large = Spool(), Spool()
    for text in ("four", "five", "ab"):
        small.append(text)
        large.append(text)
    large.append("!")
    assert small.finish() == ["four", "five", "ab"]
    found = large.finish()
    assert isinstance(found, SpooledTexts)
    assert list(found) == ["four", "five", "ab", "!"]


@pytest.mark.parametrize("name", ["trec/TREC.train", "zh_waimai_10k/waimai_10k.csv", "banking77/train.csv"])
def test_a_report_is_the_same_when_texts_lie_in_a_file(
    assets: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DataConfig(train=str(assets / "data" / name))
    in_memory = check(data)["train"]
    monkeypatch.setattr(spool, "MEMORY_CHARS", 1000)
    assert isinstance(read(data.train or "").texts, SpooledTexts)
    in_file = check(data)["train"]
    assert in_file.report == in_memory.report
    assert in_file.alike == in_memory.alike
    assert list(in_file.texts) == list(in_memory.texts)


MEASURE = """
import resource, sys
from app.data import spool
from app.data.prepare import check
from app.domain.train_config import DataConfig
spool.MEMORY_CHARS = 2**20
check(DataConfig(train=sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
check(DataConfig(train=sys.argv[2]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_memory_grows_by_less_than_the_texts(tmp_path: Path) -> None:
    """80 MB of texts, after a start on few of the same length: what stays in memory is per row, not per character."""
    generator = random.Random(1)
    words = ["".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(50_000)]
    for name, count in (("few.csv", 200), ("many.csv", 27_000)):
        with (tmp_path / name).open("w") as file:
            file.write("text,label\n")
            for n in range(count):
                file.write(f"{' '.join(generator.choices(words, k=330))},label {n % 3}\n")
    size = (tmp_path / "many.csv").stat().st_size
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "few.csv"), str(tmp_path / "many.csv")]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert grown < size / 2

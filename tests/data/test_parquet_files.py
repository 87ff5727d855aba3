"""Parquet files of any make are read within bounds, and what cannot be read is named."""

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.data.readers import read
from app.domain.errors import DataUnreadable

ROWS: list[tuple[str, Any]] = [
    ("cold soup", 0),
    ("warm bread", 1),
    ("never again, 不會再來", 0),
    ("a lovely evening", 1),
]
TEXTS, LABELS = [text for text, _ in ROWS], [str(label) for _, label in ROWS]


def _write(path: Path, **columns: Any) -> str:
    pq.write_table(pa.table(columns), path)
    return str(path)


def test_of_very_many_columns_only_the_two_that_matter_are_read(tmp_path: Path) -> None:
    count = 20_000
    table = {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}
    wide = pa.table({**{f"f{n}": pa.array([1.0] * 4) for n in range(count)}, **table})
    pq.write_table(wide, tmp_path / "wide.parquet")
    rows = read(str(tmp_path / "wide.parquet"))
    assert rows.texts == table["text"]
    assert rows.detected.columns == ["text", "label"]
    assert "20,002 columns" in rows.detected.reasons["format"]
    assert read(str(tmp_path / "wide.parquet"), text_column="f7").texts == ["1"] * 4
    pq.write_table(wide.drop_columns(["text", "label"]), tmp_path / "none.parquet")
    with pytest.raises(DataUnreadable, match="none is named like a text or a label") as caught:
        read(str(tmp_path / "none.parquet"))
    assert "--text-column" in caught.value.hint


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_a_parquet_file_that_describes_a_million_columns_is_refused_within_bounds(tmp_path: Path) -> None:
    # A table of 1,000,000 columns has a description of 100 MB. Making one takes a minute and 4 GB; this one is as long.
    path = tmp_path / "million.parquet"
    columns = {"text": ["one text"], "label": ["a"]}
    pq.write_table(pa.table(columns).replace_schema_metadata({"columns": b"x" * 101_000_000}), path)
    code = (
        "from app.data.readers import read\nfrom app.domain.errors import DataUnreadable\n"
        f"try:\n    read({str(path)!r})\nexcept DataUnreadable as error:\n    print(error)\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *message, peak_kilobytes = done.stdout.splitlines()
    assert "too many columns" in message[0]
    assert "the column of texts" in message[1]
    assert int(peak_kilobytes) < 400_000


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.string(), pa.large_string(), pa.string_view()])
def test_texts_of_any_type_are_read_as_text(tmp_path: Path, kind: pa.DataType) -> None:
    texts = pa.array([text.encode() for text in TEXTS], pa.binary()).cast(kind)
    rows = read(_write(tmp_path / "rows.parquet", text=texts, label=pa.array(LABELS).dictionary_encode()))
    assert (rows.texts, rows.labels) == (TEXTS, LABELS)


def test_bytes_that_are_no_text_are_refused_by_column_and_row_where_they_are_asked_for(tmp_path: Path) -> None:
    images = [b"\x89PNG\xff\xfe" + bytes(range(200))] * 4
    path = _write(tmp_path / "rows.parquet", image=images, text=TEXTS, label=LABELS)
    assert read(path).texts == TEXTS
    with pytest.raises(DataUnreadable, match="row 1, column 'image' holds bytes that are not text") as caught:
        read(path, text_column="image")
    assert caught.value.hint


def test_a_text_that_is_not_utf8_is_refused_by_column_and_row(tmp_path: Path) -> None:
    content = pa.array([*(text.encode() for text in TEXTS), b"ab\xff\xfe cd"], pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 5, content.buffers())
    path = _write(tmp_path / "rows.parquet", text=broken, label=[*LABELS, "1"])
    with pytest.raises(DataUnreadable, match="row 5, column 'text' holds bytes that are not text"):
        read(path)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    columns = [pa.array(TEXTS), pa.array(LABELS), pa.array(LABELS)]
    pq.write_table(pa.Table.from_arrays(columns, names=["text", "label", "label"]), tmp_path / "rows.parquet")
    with pytest.raises(DataUnreadable, match="2 columns of the name 'label'") as caught:
        read(str(tmp_path / "rows.parquet"))
    assert "a name of its own" in caught.value.hint


def test_moments_that_python_has_no_type_for_are_no_fault_of_the_text(tmp_path: Path) -> None:
    moments = pa.array([1, 2, 3, 4], pa.timestamp("ns"))
    far = pa.array([dt.date(9999, 1, 1)] * 4)
    path = _write(tmp_path / "rows.parquet", at=moments, far=far, text=TEXTS, label=LABELS)
    assert read(path).texts == TEXTS


@pytest.mark.parametrize("dictionary", [True, False])
def test_a_text_over_the_bound_is_an_unreadable_row(tmp_path: Path, dictionary: bool) -> None:
    texts = pa.array([TEXTS[0], "x" * 2000, *TEXTS[1:], "é" * 600, None])
    table = pa.table({"text": texts.dictionary_encode() if dictionary else texts, "label": list("abababa")})
    pq.write_table(table, tmp_path / "rows.parquet")
    rows = read(str(tmp_path / "rows.parquet"), max_row_bytes=1000)
    assert list(rows.unreadable_numbers) == [2, 6]
    assert "data.max_row_bytes" in rows.unreadable[0][1]
    assert (rows.texts, rows.labels) == ([*TEXTS, ""], ["a", "a", "b", "a", "a"])


PEAK = """
import sys
from contextlib import ExitStack
from app.data.sources import open_source
with ExitStack() as closing:
    opened = open_source(sys.argv[1], 8_000_000, [], True, closing)
    num_rows = sum(1 for row in opened.only(["text", "label"]))
print(num_rows, next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def _peak_kilobytes(path: Path) -> tuple[int, int]:
    done = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True)
    num_rows, peak = map(int, done.stdout.split())
    return num_rows, peak


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_a_row_group_is_never_held_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    schema = pa.schema([("text", pa.string()), ("label", pa.string())])
    filler = "".join(chr(97 + n * n % 26) for n in range(30_000))
    texts = [f"{number} {filler}" for number in range(10_000)]
    with pq.ParquetWriter(path, schema, use_dictionary=False, compression="zstd") as writer:
        writer.write_table(pa.table({"text": texts, "label": LABELS * 2500}, schema))
    assert pq.read_metadata(path).row_group(0).total_byte_size > 300_000_000
    num_rows, peak = _peak_kilobytes(path)
    assert num_rows == 10_000
    assert peak < 300_000


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_one_long_text_that_a_small_file_repeats_is_unpacked_a_few_rows_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 1000 + [1], pa.int32()), pa.array(["x" * 900_000, "y z"]))
    schema = pa.schema([("text", texts.type), ("label", pa.string())])
    with pq.ParquetWriter(path, schema, store_schema=False) as writer:
        writer.write_table(pa.table({"text": texts, "label": ["a", *["a", "b"] * 500]}))
    assert path.stat().st_size < 100_000
    num_rows, peak = _peak_kilobytes(path)
    assert num_rows == 1001
    assert peak < 400_000

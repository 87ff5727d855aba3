import gzip
import io
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.data import archives
from app.data.encoding import file_sha256
from app.data.readers import read
from app.domain.errors import DataUnreadable, StorageError

ROWS = [
    ("the soup was cold", "neg"),
    ("a lovely evening", "pos"),
    ("never again, thanks", "neg"),
    ("warm bread", "pos"),
]
CONTENT = b"text,label\n" + b"".join(f'"{text}",{label}\n'.encode() for text, label in ROWS)


@pytest.fixture(autouse=True)
def _nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever happens, the temporary directory is gone afterwards and nothing lies beside it."""
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    yield
    assert list(room.iterdir()) == []


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _pairs(path: Path) -> list[tuple[str, str]]:
    rows = read(str(path))
    assert rows.sha256 == file_sha256(path)
    return list(zip(rows.texts, rows.labels, strict=True))


def test_gzip_and_zip_give_the_rows_of_the_file_in_them(tmp_path: Path) -> None:
    packed = tmp_path / "rows.csv.gz"
    packed.write_bytes(gzip.compress(CONTENT))
    assert _pairs(packed) == ROWS
    zipped = _zip(tmp_path / "any.zip", {"deep/rows.csv": CONTENT, "__MACOSX/deep/._rows.csv": b"x", ".DS_Store": b"x"})
    assert _pairs(zipped) == ROWS
    assert "'rows.csv' in any.zip" in read(str(zipped)).detected.reasons["format"]


def test_class_files_may_be_zipped(tmp_path: Path) -> None:
    members = {f"top/{label}/{n}.txt": text.encode() for n, (text, label) in enumerate(ROWS)}
    assert sorted(_pairs(_zip(tmp_path / "classes.zip", members))) == sorted(ROWS)


@pytest.mark.parametrize("name", ["../rows.csv", "/etc/rows.csv", "a/../../rows.csv", "C:/rows.csv", "..\\rows.csv"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataUnreadable, match="leads out of it"):
        read(str(_zip(tmp_path / "evil.zip", {name: CONTENT})))
    assert not (tmp_path / "rows.csv").exists()


@pytest.mark.parametrize("kind", ["zip", "gz"])
def test_a_bomb_is_stopped_while_it_is_unpacked(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"rows.csv.{kind}"
    content = bytes(80 * 2**20)
    if kind == "zip":
        _zip(path, {"rows.csv": content})
    else:
        path.write_bytes(gzip.compress(content))
    assert path.stat().st_size < 2**20
    with pytest.raises(DataUnreadable, match="unpacks to more than 64 MiB"):
        read(str(path))


def test_many_files_count_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 1000)
    members = {f"{label}/{n}.txt": b"word " * 50 for n in range(3) for label in ("a", "b")}
    with pytest.raises(DataUnreadable, match="unpacks to more than"):
        read(str(_zip(tmp_path / "classes.zip", members)))


def test_nested_damaged_and_empty_archives_are_named_for_what_they_are(tmp_path: Path) -> None:
    inner = _zip(tmp_path / "inner.zip", {"rows.csv": CONTENT}).read_bytes()
    with pytest.raises(DataUnreadable, match=r"archive in it: 'inner\.zip'"):
        read(str(_zip(tmp_path / "outer.zip", {"inner.zip": inner})))
    with pytest.raises(DataUnreadable, match="no file in it"):
        read(str(_zip(tmp_path / "empty.zip", {".DS_Store": b""})))
    for name, content in (("cut.csv.gz", gzip.compress(CONTENT)[:-9]), ("cut.zip", inner[:-30])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataUnreadable, match="damaged archive"):
            read(str(tmp_path / name))
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("rows.csv"), io.BytesIO())
    (tmp_path / "rows.tar.gz").write_bytes(tar.getvalue())
    with pytest.raises(DataUnreadable, match="is a tar archive"):
        read(str(tmp_path / "rows.tar.gz"))


@pytest.mark.parametrize("names", [("a", "a/rows.csv"), ("x" * 300 + ".csv",), ("rows.csv", "rows.csv")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_cannot_be_unpacked_side_by_side_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, CONTENT)
    with pytest.raises((DataUnreadable, StorageError)) as caught:
        read(str(path))
    assert "odd.zip" in caught.value.message


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = _zip(tmp_path / "rows.zip", {"rows.csv": CONTENT})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag in the file's own header
    content[content.rfind(b"PK\x01\x02") + 8] |= 1  # and in the directory
    path.write_bytes(content)
    with pytest.raises(DataUnreadable, match="is encrypted"):
        read(str(path))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_bytes_of_any_way_of_packing_are_no_full_disk(tmp_path: Path, method: int) -> None:
    path = tmp_path / "rows.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("rows.csv", b"".join(b"text number %d,%d\n" % (n * n, n % 2) for n in range(20_000)))
    content = bytearray(path.read_bytes())
    content[300:700] = bytes(255 - n % 251 for n in range(400))
    path.write_bytes(content)
    with pytest.raises(DataUnreadable, match=r"rows\.zip is a damaged archive") as caught:
        read(str(path))
    assert "copy it again" in caught.value.hint


def test_an_error_about_a_file_in_an_archive_names_both(tmp_path: Path) -> None:
    blank = _zip(tmp_path / "rows.zip", {"deep/rows.csv": b"  \n"})
    with pytest.raises(DataUnreadable) as caught:
        read(str(blank))
    assert caught.value.message.startswith(f"{blank}: deep/rows.csv has only white space")
    late = _zip(tmp_path / "late.zip", {"rows.json": b'[{"text": "a", "label": "b"}' + b', {"text": "a"}' * 6000})
    with pytest.raises(DataUnreadable) as caught:
        read(str(late))
    assert caught.value.message == f"{late}: rows.json ends inside its list"
    splits = _zip(tmp_path / "splits.zip", {"top/train.csv": CONTENT, "top/test.csv": CONTENT})
    with pytest.raises(DataUnreadable) as caught:
        read(str(splits))
    assert caught.value.message.startswith(f"{splits}: top has splits, not classes")
    assert f"give {splits}: top/train.csv to train on" in caught.value.hint
    assert "unpack it first" in caught.value.hint


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ("word/document.xml", "is a Word document"),
        ("ppt/presentation.xml", "is a PowerPoint document"),
        ("xl/workbook.bin", "is a binary Excel workbook"),
        ("META-INF/manifest.xml", "is an OpenDocument file"),
    ],
)
def test_documents_of_office_programs_are_named_for_what_they_are(tmp_path: Path, member: str, said: str) -> None:
    with pytest.raises(DataUnreadable, match=said) as caught:
        read(str(_zip(tmp_path / "file", {"[Content_Types].xml": b"<a/>", member: b"<a/>"})))
    assert caught.value.hint


def test_a_parquet_file_may_be_packed_and_a_workbook_is_given_by_itself(tmp_path: Path) -> None:
    import openpyxl
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts, labels = zip(*ROWS, strict=True)
    pq.write_table(pa.table({"id": range(4), "text": texts, "label": labels}), tmp_path / "rows.parquet")
    book = openpyxl.Workbook()
    for row in [("text", "label"), *ROWS]:
        book.active.append(row)
    book.save(tmp_path / "rows.xlsx")
    packed = tmp_path / "rows.parquet.gz"
    packed.write_bytes(gzip.compress((tmp_path / "rows.parquet").read_bytes()))
    assert _pairs(packed) == ROWS
    assert _pairs(_zip(tmp_path / "a.zip", {"deep/rows.parquet": (tmp_path / "rows.parquet").read_bytes()})) == ROWS
    packed.write_bytes(gzip.compress((tmp_path / "rows.parquet").read_bytes()[:-20]))
    with pytest.raises(DataUnreadable, match=r"gz: rows\.parquet is a damaged parquet file"):
        read(str(packed))
    (tmp_path / "rows.parquet").unlink()
    with pytest.raises(DataUnreadable, match="archive in it"):
        read(str(_zip(tmp_path / "b.zip", {"rows.xlsx": (tmp_path / "rows.xlsx").read_bytes()})))

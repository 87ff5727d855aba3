"""Files and forms that are there to do harm: refused with 4xx, in bounded memory, and nothing of them is left."""

import gzip
import io
import json
import socket
import stat
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import openpyxl
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.services.data_work import Bounds
from tests.api_data import as_csv, labelled_rows
from tests.security.conftest import Api, running, send, wait_for

MIB = 2**20
SERVER_PEAK_BYTES = 150 * MIB
"""What the issue allows the API process; it loads none of the libraries that read rows."""
CHILD_PEAK_BYTES = Bounds().memory_bytes + 256 * MIB
"""The bound is measured ten times a second, so a child may be a little above it for a moment."""
BOUNDARY = "----a-boundary"
FORM = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"


def _zip(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


@cache
def _zeros_in_zip() -> bytes:
    """A quarter of a megabyte that unpacks to a quarter of a gigabyte."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("rows.csv", "w") as member:
        for _ in range(256):
            member.write(bytes(MIB))
    return packed.getvalue()


def _zeros_in_gzip() -> bytes:
    packed = io.BytesIO()
    with gzip.open(packed, "wb", compresslevel=1) as file:
        for _ in range(128):
            file.write(bytes(MIB))
    return packed.getvalue()


def _lying_zip() -> bytes:
    """Its headers say that it holds ten bytes."""
    content = bytearray(_zeros_in_zip())
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.index(signature) + place
        content[at : at + 4] = (10).to_bytes(4, "little")
    return bytes(content)


def _link(name: str, target: bytes) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info, target


def _texts_in_parquet() -> bytes:
    """A few kilobytes that stand for three gigabytes of texts."""
    file = io.BytesIO()
    table = pa.table({"text": ["word " * (MIB // 5)] * 50, "label": ["x"] * 50})
    with pq.ParquetWriter(file, table.schema, compression="zstd") as writer:
        for _ in range(60):
            writer.write_table(table)
    return file.getvalue()


def _million_columns() -> bytes:
    return b",".join([b"a"] * 1_000_000) + b"\n" + b"," * 999_999 + b"\n"


def _deep_json() -> bytes:
    return b'[{"text": ' + b"[" * 200_000 + b"]" * 200_000 + b', "label": "a"}]'


def _entities_in_workbook() -> bytes:
    """A workbook whose sheet is a billion repetitions of three letters."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    kind = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    row = '<row r="1"><c r="A1" t="inlineStr"><is><t>&e9;</t></is></c></row>'
    sheet = (
        f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e0 "lol">{entities}]>'
        f"<worksheet {kind}><sheetData>{row}</sheetData></worksheet>"
    )
    packed, book = io.BytesIO(), io.BytesIO()
    openpyxl.Workbook().save(book)
    with zipfile.ZipFile(book) as whole, zipfile.ZipFile(packed, "w") as changed:
        for name in whole.namelist():
            changed.writestr(name, sheet if name == "xl/worksheets/sheet1.xml" else whole.read(name))
    return packed.getvalue()


HOSTILE: dict[str, tuple[str, Callable[[], bytes], int, str]] = {
    "zip bomb": ("rows.zip", _zeros_in_zip, 422, "data.unreadable"),
    "zip bomb that lies about its size": ("rows.zip", _lying_zip, 422, "data.unreadable"),
    "gzip bomb": ("rows.csv.gz", _zeros_in_gzip, 422, "data.unreadable"),
    "zip in a zip": ("rows.zip", lambda: _zip(("inner.zip", _zeros_in_zip())), 422, "data.unreadable"),
    "symbolic link in a zip": ("rows.zip", lambda: _zip(_link("rows.csv", b"/etc/passwd")), 422, "data.unreadable"),
    "zip that leads out": ("rows.zip", lambda: _zip(("../../../rows.csv", b"text,label\n")), 422, "data.unreadable"),
    "absolute name in a zip": ("rows.zip", lambda: _zip(("/etc/rows.csv", b"text,label\n")), 422, "data.unreadable"),
    "a million columns": ("rows.csv", _million_columns, 422, "data.unreadable"),
    "JSON nested 200,000 deep": ("rows.json", _deep_json, 422, "data.unreadable"),
    "three gigabytes in Parquet": ("rows.parquet", _texts_in_parquet, 413, "data.too_costly|input.too_large"),
    "a program": ("rows.csv", lambda: Path("/proc/self/exe").read_bytes()[:MIB], 422, "data.unreadable"),
    "a picture called a workbook": ("rows.xlsx", lambda: b"\x89PNG\r\n\x1a\n" + bytes(5000), 422, "data.unreadable"),
    "a torn workbook": ("rows.xlsx", lambda: _zip(("xl/workbook.xml", b"<w")), 422, "data.unreadable"),
    "a torn Parquet file": ("rows.parquet", lambda: b"PAR1" + bytes(500) + b"PAR1", 422, "data.unreadable"),
    "a billion letters in a workbook": ("rows.xlsx", _entities_in_workbook, 422, "data.unreadable"),
    "nothing": ("rows.csv", lambda: b"", 422, "data.unreadable"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_in_bounded_memory_and_leaves_nothing(api: Api, what: str) -> None:
    filename, make, status, code = HOSTILE[what]
    content = make()
    began = time.monotonic()
    with api.client() as ada, api.watched() as children:
        answer = ada.post("/datasets", files={"file": (filename, content)}, data={"name": "hostile"})
        seconds = time.monotonic() - began
        assert answer.status_code == status, answer.text
        assert answer.json()["code"] in code.split("|")
        assert ada.get("/datasets/hostile").status_code == 404
    peaks = f"{children.peak_bytes // MIB} MB child, {api.peak_bytes() // MIB} MB server"
    print(f"{what}: {len(content):,} bytes, {answer.status_code}, {seconds:.1f} s, {peaks}")
    assert str(api.results_dir) not in answer.text
    assert "Traceback" not in answer.text
    assert len(children.pids) == 1
    assert children.peak_bytes < CHILD_PEAK_BYTES
    assert api.peak_bytes() < SERVER_PEAK_BYTES
    assert api.is_clean()


def test_a_client_s_file_name_is_shown_and_never_followed(api: Api) -> None:
    names = {
        "../../../../tmp/escaped.csv": "escaped.csv",
        "..\\..\\escaped\u202egpj.csv": "escapedgpj.csv",
        "／etc／ｅｓｃａｐｅｄ\x00.csv": "escaped.csv",
        "e" * 5000 + ".csv": "e" * 96 + ".csv",
    }
    content = as_csv(labelled_rows())
    with api.client() as ada:

        def validate(name: str) -> str:
            part = (
                f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
                + content
                + f"\r\n--{BOUNDARY}--\r\n".encode()
            )
            headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
            answer = ada.post("/datasets/validate", content=part, headers=headers)
            # python-multipart bounds a part's headers, so the longest name does not get that far
            return answer.json()["file"] if answer.status_code == 200 else answer.json()["code"]

        shown = {name: validate(name) for name in names}
    longest = "e" * 5000 + ".csv"
    assert shown.pop(longest) in (names.pop(longest), "upload.malformed")
    assert shown == names
    assert not list(api.results_dir.parent.rglob("*escaped*"))
    assert api.is_clean()


# ---- forms ----


def _part(name: str, content: bytes, filename: str | None = None) -> bytes:
    named = f'; filename="{filename}"' if filename is not None else ""
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"


def _form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


SMALL = as_csv(labelled_rows())
BAD_FORMS: dict[str, tuple[bytes, str]] = {
    "cut off": (_form(_part("name", b"x"), _part("file", SMALL, "rows.csv"))[:-30], "upload.malformed"),
    "100,000 fields": (_form(*(_part(f"f{n}", b"x") for n in range(100_000))), "upload.malformed"),
    "a field of 2 MB": (_form(_part("name", b"x" * 2_000_000), _part("file", SMALL, "rows.csv")), "upload.malformed"),
    "the file twice": (_form(_part("file", SMALL, "a.csv"), _part("file", SMALL, "b.csv")), "upload.malformed"),
    "a file of another field": (_form(_part("avatar", SMALL, "a.csv")), "upload.malformed"),
    "a field that is no text": (_form(_part("name", b"\xff\xfe"), _part("file", SMALL, "a.csv")), "upload.malformed"),
    "a NUL in the name": (_form(_part("name", b"a\0b"), _part("file", SMALL, "a.csv")), "request.invalid"),
    "a head of a part without end": (b"--" + BOUNDARY.encode() + b"\r\nX: " + b"y" * 2_000_000, "upload.malformed"),
    "no form at all": (b"text,label\n" * 1000, "upload.malformed"),
}


@pytest.mark.parametrize("what", BAD_FORMS)
def test_a_form_that_is_none_is_refused_without_starting_anything(api: Api, what: str) -> None:
    body, code = BAD_FORMS[what]
    with api.watched() as children:
        status, problem = send(api, api.head("/datasets", FORM, f"Content-Length: {len(body)}"), body)
    assert (status, problem["code"]) == (422, code)
    assert not children.pids
    assert api.peak_bytes() < SERVER_PEAK_BYTES
    assert api.is_clean()


def test_another_kind_of_body_is_held_to_the_limit_of_all_bodies(api: Api) -> None:
    head = api.head("/datasets", "Content-Type: application/json", "Content-Length: 7000000")
    assert send(api, head, b"x" * 2_000_000)[0] == 413


# ---- sizes ----


def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(api: Api) -> None:
    status, problem = send(api, api.head("/datasets", FORM, "Content-Length: 900000000000"))
    assert (status, problem["code"]) == (413, "input.too_large")
    assert api.is_clean()


def _chunks(total: int) -> Iterator[bytes]:
    """A form with a file of so many bytes, in chunks, its length announced nowhere."""
    for piece in (
        _part("name", b"large"),
        _part("file", b"", "rows.csv")[:-2],
        *[b"a line of text\n" * 4096] * (total // 61440),
    ):
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"


def test_a_body_that_grows_too_large_is_refused_while_it_comes(api: Api) -> None:
    status, problem = send(api, api.head("/datasets", FORM, "Transfer-Encoding: chunked"), *_chunks(40 * 10**6))
    assert (status, problem["code"]) == (413, "input.too_large")
    assert api.peak_bytes() < SERVER_PEAK_BYTES
    assert api.is_clean()


def test_a_length_that_is_less_than_what_comes_cuts_the_form_off(api: Api) -> None:
    body = _form(_part("name", b"short"), _part("file", SMALL, "rows.csv"))
    status, problem = send(api, api.head("/datasets", FORM, f"Content-Length: {len(body) // 2}"), body)
    assert (status, problem["code"]) == (422, "upload.malformed")
    assert api.is_clean()


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(api: Api) -> None:
    uploads = api.results_dir / "uploads"
    body = _form(_part("name", b"gone"), _part("file", b"x" * 4_000_000, "rows.csv"))
    with socket.create_connection(("127.0.0.1", api.port)) as connection:
        connection.sendall(api.head("/datasets", FORM, f"Content-Length: {len(body)}") + body[:2_500_000])
        wait_for(lambda: [path for path in uploads.rglob("*.csv") if path.stat().st_size >= MIB], "the first megabyte")
    wait_for(api.is_clean, "the end of the upload")


def test_a_body_that_trickles_in_is_given_up_and_leaves_nothing(tmp_path: Path) -> None:
    body = _form(_part("name", b"slow"), _part("file", SMALL, "rows.csv"))
    with running(tmp_path, seconds_to_send=1.0) as api:
        # The answer comes while the client still owes most of the body.
        status, problem = send(api, api.head("/datasets", FORM, f"Content-Length: {len(body)}"), body[:200])
        assert (status, problem["code"]) == (408, "request.too_slow")
        wait_for(api.is_clean, "the end of the upload")


def test_a_name_that_is_taken_is_refused_before_the_file_is_sent(api: Api) -> None:
    with api.client("bob") as bob:
        files = {"file": ("rows.csv", as_csv(labelled_rows()))}
        assert bob.post("/datasets", files=files, data={"name": "of-bob"}).status_code == 201
    head = api.head("/datasets", FORM, "Content-Length: 7000000")
    status, problem = send(api, head, _part("name", b"of-bob") + _part("file", b"", "rows.csv")[:-2])
    assert (status, problem["code"]) == (409, "dataset.name_taken")
    assert api.is_clean()


def test_nobody_sends_a_file_without_signing_in(api: Api) -> None:
    head = f"POST /datasets HTTP/1.1\r\nHost: localhost\r\n{FORM}\r\nContent-Length: 7000000\r\n\r\n".encode()
    assert send(api, head, _part("file", b"", "rows.csv"))[0] == 401
    assert api.is_clean()


# ---- many at once, and nobody there any more ----


def test_many_files_at_once_are_checked_two_at_a_time(api: Api) -> None:
    content = as_csv(labelled_rows())
    with api.client("ada") as ada, api.client("bob") as bob, api.watched() as children:

        def validate(number: int) -> int:
            client = ada if number % 2 else bob
            return client.post("/datasets/validate", files={"file": ("rows.csv", content)}).status_code

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(validate, range(4))) == [200] * 4
    assert len(children.pids) == 4
    assert children.most_at_once == 2
    assert api.is_clean()


def test_two_files_for_one_name_at_once_are_two_versions_of_it(api: Api) -> None:
    with api.client() as ada:

        def add(count: int) -> tuple[int, int]:
            files = {"file": ("rows.csv", as_csv(labelled_rows(count)))}
            answer = ada.post("/datasets", files=files, data={"name": "twins"})
            return answer.status_code, answer.json()["version"]

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(add, (24, 30))) == [(201, 1), (201, 2)]
        assert ada.get("/datasets/twins").json()["num_versions"] == 2


def test_of_two_people_who_take_a_name_at_once_one_gets_it(api: Api) -> None:
    def add(username: str) -> int:
        with api.client(username) as client:
            files = {"file": ("rows.csv", as_csv(labelled_rows()))}
            return client.post("/datasets", files=files, data={"name": "contested"}).status_code

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(add, ("ada", "bob"))) == [201, 409]


def test_the_child_of_a_client_that_went_away_is_ended(api: Api) -> None:
    content = as_csv(labelled_rows(40_000, "with more words in it, so that it takes a while"))
    body = _form(_part("name", b"left"), _part("file", content[:4_500_000].rpartition(b"\n")[0], "rows.csv"))
    with socket.create_connection(("127.0.0.1", api.port)) as connection:
        connection.sendall(api.head("/datasets", FORM, f"Content-Length: {len(body)}") + body)
        wait_for(api.children, "a child")
        [child] = api.children()
    wait_for(lambda: not psutil.pid_exists(child.pid), "the end of the child")
    wait_for(api.is_clean, "the end of the upload")
    with api.client() as ada:
        assert ada.get("/datasets/left").status_code == 404


# ---- a disk that is full ----


def test_a_full_disk_is_told_as_such_and_nothing_is_left(tmp_path: Path) -> None:
    large = b"a line of text\n" * 800_000
    with running(tmp_path, file_bytes=10_000_000) as api, api.client() as ada:
        for filename, content in (("rows.csv", large), ("rows.zip", _zip(("rows.csv", large)))):
            answer = ada.post("/datasets", files={"file": (filename, content)}, data={"name": "full"})
            assert (answer.status_code, answer.json()["code"]) == (507, "storage.full"), answer.text
            assert api.is_clean()
        assert ada.get("/datasets").json()["items"] == []
        small = ada.post("/datasets/validate", files={"file": ("rows.csv", SMALL)})
        assert small.status_code == 200, "what fits is still taken"


# ---- at the end of it all ----


def test_after_all_this_the_server_has_loaded_nothing_that_reads_rows(api: Api) -> None:
    loaded = Path(f"/proc/{api.process.pid}/maps").read_text()
    assert [name for name in ("pyarrow", "pandas", "sklearn", "scipy", "numpy", "torch") if f"/{name}/" in loaded] == []
    assert api.peak_bytes() < SERVER_PEAK_BYTES
    with api.client() as ada:
        assert json.loads(ada.get("/datasets").content)["total"] >= 1

"""Large files from a browser go to the disk as they arrive, within a bound; what comes to nothing leaves nothing."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from app.ui import uploads
from app.ui.uploads import Uploads

PLACE = "/_stcore/upload_file/session/7"
LIMIT = 5_000_000
CONTENT = bytes(range(256)) * 4096


class Streamlit:
    """Takes files of forms as Streamlit's endpoint does, and notes what came."""

    def __init__(self) -> None:
        self.came: list[tuple[str, bytes]] = []
        self.status = 204

    async def put(self, request: Request) -> Response:
        async with request.form() as form:
            (file,) = [value for value in form.values() if isinstance(value, UploadFile)]
            self.came.append((file.filename or "", await file.read()))
        return Response(status_code=self.status)

    async def delete(self, _request: Request) -> Response:
        return Response(status_code=204)


@pytest.fixture
def streamlit() -> Streamlit:
    return Streamlit()


@pytest.fixture
def taking(streamlit: Streamlit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Uploads]:
    monkeypatch.setattr(uploads, "IN_MEMORY_BYTES", 10_000)
    monkeypatch.setattr(uploads, "ENVELOPE_BYTES", 1_000)
    routes = [Route(PLACE, streamlit.put, methods=["PUT"]), Route(PLACE, streamlit.delete, methods=["DELETE"])]
    yield Uploads(Starlette(routes=routes), tmp_path / "files", LIMIT)
    uploads._installed.clear()


def send(taking: Uploads, content: bytes, name: str = "評論 (1).csv") -> int:
    return TestClient(taking).put(PLACE, files={name: (name, content)}).status_code


def left(taking: Uploads) -> list[Path]:
    return list(taking.folder.iterdir())


def test_a_large_file_goes_to_the_disk_and_streamlit_hears_of_its_name_alone(
    taking: Uploads, streamlit: Streamlit, tmp_path: Path
) -> None:
    assert send(taking, CONTENT) == 204
    assert streamlit.came == [("評論 (1).csv", b"")]
    picked = SimpleNamespace(name="評論 (1).csv", file_id="7", getbuffer=lambda: memoryview(b""))
    for _ in range(2):
        target = tmp_path / "mine.csv"
        target.unlink(missing_ok=True)
        uploads.keep(picked, target)
        assert target.read_bytes() == CONTENT
    uploads.let_go(picked)
    assert left(taking) == []
    assert target.read_bytes() == CONTENT


def test_a_small_file_goes_streamlits_own_way(taking: Uploads, streamlit: Streamlit, tmp_path: Path) -> None:
    assert send(taking, b"text,label\n") == 204
    assert streamlit.came == [("評論 (1).csv", b"text,label\n")]
    picked = SimpleNamespace(name="a.csv", file_id="7", getbuffer=lambda: memoryview(b"text,label\n"))
    uploads.keep(picked, tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").read_bytes() == b"text,label\n"
    assert left(taking) == []


def test_a_file_that_is_taken_out_again_is_removed(taking: Uploads) -> None:
    assert send(taking, CONTENT) == 204
    assert len(left(taking)) == 1
    TestClient(taking).delete(PLACE)
    assert left(taking) == []


def test_more_than_is_taken_is_refused_in_a_sentence_whether_its_length_is_told_or_not(taking: Uploads) -> None:
    client = TestClient(taking)
    told = client.put(PLACE, files={"a.csv": ("a.csv", bytes(LIMIT + 2_000))})
    in_chinese = client.put(
        PLACE, files={"a.csv": ("a.csv", bytes(LIMIT + 2_000))}, headers={"Accept-Language": "zh-TW"}
    )
    assert in_chinese.text == "檔案最大為 5,000,000 位元組；請壓縮（zip、gz）或分成幾份傳送"
    head = b'--b\r\nContent-Disposition: form-data; name="a"; filename="a.csv"\r\n\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    untold = client.put(PLACE, content=iter([head, *[bytes(1_000_000)] * 9]), headers=kind)
    for refused in (told, untold):
        assert refused.status_code == 413
        assert "at most 5,000,000 bytes" in refused.text
    assert left(taking) == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Disposition: form-data; name=a; filename=a\r\n\r\n" + CONTENT,
        ),
        ("multipart/form-data; boundary=b", CONTENT),
        ("multipart/form-data", CONTENT),
        ("text/csv", CONTENT),
    ],
)
def test_what_is_no_whole_form_is_refused_and_leaves_nothing(taking: Uploads, kind: str, body: bytes) -> None:
    refused = TestClient(taking).put(PLACE, content=body, headers={"Content-Type": kind})
    assert (refused.status_code, refused.text) == (400, "the file could not be taken; send it again")
    assert left(taking) == []


def test_a_file_that_streamlit_refuses_leaves_nothing(taking: Uploads, streamlit: Streamlit) -> None:
    streamlit.status = 400
    assert send(taking, CONTENT) == 400
    assert left(taking) == []


def test_a_disk_that_is_nearly_full_takes_no_file(taking: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "KEPT_FREE_BYTES", 2**62)
    refused = TestClient(taking).put(PLACE, files={"a.csv": ("a.csv", CONTENT)})
    assert refused.status_code == 507
    assert "disk of the server is full" in refused.text
    assert left(taking) == []

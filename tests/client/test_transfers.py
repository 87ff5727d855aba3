"""Files on their way there and back: watched, whole or not there, and what broke goes on where it broke."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.client import Client
from app.client.datasets import Files
from app.client.retrying import Retrying
from app.domain.errors import Conflict, DataBlocked, InvalidInput, NotFound, ServiceUnavailable, StorageError
from app.schemas.datasets import AddForm, DatasetCreated, ValidatedFile, ValidateForm
from app.schemas.tasks import Accepted
from tests.api_data import as_csv, labelled_rows
from tests.api_runs import Runs
from tests.api_server import ApiServer
from tests.client.conftest import Script, answer


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A labelled file nothing is wrong with."""
    path = tmp_path / "評論.csv"
    path.write_bytes(as_csv(labelled_rows()))
    return path


MODEL = "artifacts/final_model/adapter_model.safetensors"


def test_a_file_is_sent_while_somebody_watches(api_server: ApiServer, reviews: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with api_server.signed_in("user") as client:
        made = client.datasets.add(
            AddForm(name="reviews", seed=7),
            Files(train=reviews),
            progress=lambda done, total: seen.append((done, total)),
        )
        assert isinstance(made, DatasetCreated)
        assert (made.reference, made.rows, made.is_new) == ("reviews@1", 24, True)
        size = reviews.stat().st_size
        assert seen[-1] == (size, size)
        shown = client.datasets.version("reviews", 1)
        assert (shown.sources["train"].file, shown.split_seed) == ("評論.csv", 7)
        assert [one.name for one in client.datasets.all()] == ["reviews"]
        assert [one.content for one in client.datasets.show("reviews").versions] == [shown.content]
        assert client.datasets.findings("reviews", 1).reports["train"].rows == 24
        rows = client.datasets.rows_page("reviews", 1, split="train", limit=2)
        assert len(rows.items) == 2
        client.datasets.delete("reviews")
        with pytest.raises(NotFound):
            client.datasets.show("reviews")


def test_what_blocks_comes_back_as_the_same_error(api_server: ApiServer, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("text,label\na,x\nb,x\n")
    with api_server.signed_in("user") as client:
        with pytest.raises(DataBlocked) as caught:
            client.datasets.add(AddForm(name="bad"), Files(train=path))
        assert caught.value.code == "data.blocked"
        found = client.datasets.validate(ValidateForm(), Files(train=path))
        assert isinstance(found, ValidatedFile)
        assert not found.ok
        later = client.datasets.validate(ValidateForm(), Files(train=path), later=True)
        assert isinstance(later, Accepted)
        assert client.tasks.show(later.task_id).kind == "dataset"


@pytest.mark.parametrize("name", ["no-such.csv", "."])
def test_a_file_that_cannot_be_read_is_named_before_anything_is_sent(name: str, tmp_path: Path) -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(InvalidInput, match=str(tmp_path)):
        client.datasets.add(AddForm(name="x"), Files(train=tmp_path / name))


@pytest.fixture
def finished(api_server: ApiServer) -> Runs:
    """A run that has left files of more than a megabyte."""
    runs = Runs(api_server.platform)
    runs.add("reviews-001")
    return runs


def test_a_download_is_the_file_and_nothing_else(api_server: ApiServer, finished: Runs, tmp_path: Path) -> None:
    target = tmp_path / "new" / "adapter.safetensors"
    seen: list[tuple[int, int | None]] = []
    with api_server.signed_in("user") as client:
        [listed] = [one for one in client.artifacts.list("reviews-001").items if one.path == MODEL]
        client.artifacts.download(
            "reviews-001", listed, target, progress=lambda done, total: seen.append((done, total))
        )
        assert hashlib.sha256(target.read_bytes()).hexdigest() == listed.sha256
        assert seen[-1] == (listed.size_bytes, listed.size_bytes)
        assert client.artifacts.archive("reviews-001", tmp_path / "model.zip").read_bytes()[:2] == b"PK"
        assert "報告" in client.artifacts.report("reviews-001", tmp_path / "report.html").read_text(encoding="utf-8")
        with pytest.raises(Conflict, match="exists already"):
            client.artifacts.download("reviews-001", listed, target)
        with pytest.raises(NotFound):
            client.artifacts.download("reviews-001", "nothing.txt", tmp_path / "nothing")
        with pytest.raises(InvalidInput):
            client.artifacts.download("reviews-001", "../secrets", tmp_path / "nothing")
    assert [path.name for path in target.parent.iterdir()] == ["adapter.safetensors"]
    assert not (tmp_path / "nothing").exists()


def test_a_download_that_breaks_goes_on_where_it_broke(
    api_server: ApiServer, finished: Runs, cutting: Callable[..., Any], tmp_path: Path
) -> None:
    cutter = cutting(api_server.address, [300_000, 600_000])
    with api_server.signed_in("user") as client:
        address = f"http://127.0.0.1:{cutter.server_address[1]}"
        retrying = Retrying(first_seconds=0.01)
        with Client(address, client.connection.sign_in, retrying=retrying) as unlucky:
            got = unlucky.artifacts.download("reviews-001", MODEL, tmp_path / "adapter").read_bytes()
    assert got == bytes(range(256)) * 5000
    ranges = [line for line in cutter.sent.splitlines() if line.lower().startswith(b"range:")]
    assert len(ranges) == 2


@pytest.mark.parametrize(
    "given",
    [
        answer("200 OK", "changed", X_Content_SHA256=hashlib.sha256(b"original").hexdigest()),
        answer("200 OK", "cut off", X_Content_SHA256=hashlib.sha256(b"cut off").hexdigest())[:-2],
    ],
    ids=["changed", "cut"],
)
def test_a_file_that_was_damaged_on_its_way_is_not_kept(
    scripted: Callable[..., Script], tmp_path: Path, given: bytes
) -> None:
    script = scripted(given)
    error = StorageError if given.endswith(b"changed") else ServiceUnavailable
    with Client(script.address, retrying=Retrying(first_seconds=0.01)) as client, pytest.raises(error):
        client.artifacts.download("run", "file", tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_stored_version_is_copied(api_server: ApiServer, own_reviews: Any, tmp_path: Path) -> None:
    with api_server.signed_in("user") as client:
        own_reviews(api_server.platform, "user")
        client.datasets.export("reviews", 1, tmp_path / "copy.jsonl", format_="jsonl")
        version = client.datasets.version("reviews", 1)
        assert len((tmp_path / "copy.jsonl").read_text(encoding="utf-8").splitlines()) == version.rows
        assert client.datasets.profile("reviews", 1).rows == version.rows
        assert client.datasets.diff("reviews", 1, 1).num_unchanged == version.rows

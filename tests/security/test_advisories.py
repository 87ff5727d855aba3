"""One test for each class of weakness that servers of this kind were told of, with the ways around a first remedy.

The classes are those of MLflow's advisories. What is tested beside them elsewhere is listed in docs/security.md.
"""

import itertools
import json
import os
import pickle
import socket
import threading
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from fastapi import FastAPI

from app.auth.permissions import Permission
from app.main import create_app
from app.services.platform import open_platform
from app.settings import Settings
from tests.api.conftest import CHEAP, RecordingQueue
from tests.api.permission_cases import CASES, CONFIG
from tests.api.test_permissions import walk_routes
from tests.api_data import as_csv, labelled_rows
from tests.api_runs import Runs
from tests.security.answers import Line
from tests.security.conftest import Api, running


@dataclass
class Listener:
    """Counts who connects to it; a server that is led anywhere is led here."""

    port: int
    arrived: list[bytes] = field(default_factory=list)


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    """A listening socket, which is also the proxy and the model hub of the server of these tests."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = Listener(listening.getsockname()[1])

        def listen() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        found.arrived.append(connection.recv(1000))

        threading.Thread(target=listen, daemon=True).start()
        yield found
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, listener: Listener) -> Iterator[Api]:
    """A server whose ways out all lead to the listener, and on which ada has a finished run `a`."""
    here = f"http://127.0.0.1:{listener.port}"
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "hf_endpoint"), here)
    with running(tmp_path_factory.mktemp("advisories"), hf_hub_offline=0, no_proxy="", **proxies) as api:
        platform = open_platform(Settings(results_dir=api.results_dir), RecordingQueue(), passwords=CHEAP)
        Runs(platform).add("a", owner="ada")
        platform.installation.database.engine.dispose()
        yield api


@pytest.fixture
def line(api: Api) -> Iterator[Line]:
    """A way to ask that server for something in so many words."""
    with Line(api.port) as line:
        yield line


# ---- paths that lead elsewhere ----

UP = (
    "../", "..%2f", "%2e%2e/", "%2E%2E%2F", ".%2e/", "%252e%252e%252f", "%25252e%25252e%25252f", "..\\", "..%5c",
    "..%255c", "%00../", "..%00/", "..%c0%af", "%c0%ae%c0%ae/", "%uff0e%uff0e/", "%ef%bc%8e%ef%bc%8e/",
    "..%ef%bc%8f", "%e2%80%a5/", "..;/", "....//", "..//", "./../", "%0a../", "x/../../",
)  # fmt: skip
ELSEWHERE = (
    "/etc/passwd",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "C:%5cWindows%5cwin.ini",
    "file:///etc/passwd",
    "~root/x",
)
PLACES = (
    "/experiments/a/artifacts/{}", "/experiments/{}/artifacts", "/experiments/{}/report", "/experiments/{}/archive",
    "/datasets/{}", "/datasets/{}/1/rows", "/task/{}/logs", "/predictions/{}",
)  # fmt: skip
NAMES = (
    "..", "../b", "a/b", "a\\b", "a\0b", "/b", "//b", "．．/b", "‥", "a/", "a/.", ".b", "b.", "b\n", " b", "%2e%2e",
    "..%2fb", "C:b", "file:///b", "b" * 101,
)  # fmt: skip


def test_no_spelling_of_a_path_leads_out_of_what_it_names(api: Api, line: Line) -> None:
    token = f"Bearer {api.tokens['ada']}"
    kept = next(path for path in sorted((api.results_dir / "secrets").rglob("*")) if path.is_file())
    targets = (f"secrets/{kept.name}", "experiments.db")
    inside = line.ask("GET", PLACES[0].format("evaluation/report.html"), Authorization=token)
    assert inside.status == 200, "what the run has left is there"
    led = [up * depth + target for up, depth, target in itertools.product(UP, (1, 3), targets)]
    asked = [place.format(path) for place in PLACES[:2] for path in (*led, *ELSEWHERE)]
    asked += [place.format(up + targets[1]) for place in PLACES[2:] for up in UP]
    for target in asked:
        for written in {target, target + "/"}:
            answer = line.ask("GET", written, Authorization=token)
            assert answer.status in (400, 404, 422), (written, answer)
            answer.check(sent=written + target)
            assert b"SQLite format" not in answer.body, written
            assert b"root:" not in answer.body, written
            assert kept.read_bytes() not in answer.body, written


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_out_of_where_it_is_kept(api: Api, name: str) -> None:
    before = sorted(api.results_dir.parent.rglob("*.y*ml")), sorted(api.results_dir.parent.iterdir())
    with api.client() as ada:
        file = {"file": ("rows.csv", as_csv(labelled_rows()))}
        answers = [
            ada.post("/train", params={"name": name}, json=CONFIG),
            ada.post("/train", json=CONFIG | {"experiment_name": name}),
            ada.post("/datasets", files=file, data={"name": name}),
            ada.post("/predictions", files=file, data={"run": name}),
        ]
    assert [answer.status_code for answer in answers] == [422] * 4, [answer.text for answer in answers]
    assert before == (sorted(api.results_dir.parent.rglob("*.y*ml")), sorted(api.results_dir.parent.iterdir()))


# ---- routes that nobody guards ----

METHODS = ("HEAD", "OPTIONS", "TRACE", "PROPFIND", "DEBUG", "get", "GETS")
LOOK_ALIKES = (
    "{}/",
    "/{}",
    "/.{}",
    "/x/..{}",
    "{};x",
    "{}%00",
    "{}%2f",
    "{}/.",
    "{}.json",
    "/api{}",
    "/%2e{}",
    "{}%20",
)


def test_no_way_of_asking_passes_the_sign_in_by(api: Api, line: Line) -> None:
    found = walk_routes(create_app_of(api))[0]
    guarded = [route for route in CASES if found[route] is not Permission.PUBLIC and route != "GET /metrics"]
    assert len(guarded) > 50
    for route in guarded:
        method, _, declared = route.partition(" ")
        path = "/".join("1" if part.startswith("{") else part for part in declared.split("/"))
        asks = [(method, path), (method, path.upper()), *((other, path) for other in METHODS)]
        for asked in (*asks, *((method, like.format(path)) for like in LOOK_ALIKES)):
            answer = line.ask(*asked)
            assert answer.status in (400, 401, 404, 405), (asked, answer)
            assert asked != (method, path) or answer.status == 401, asked
            if asked[0] != "HEAD":
                answer.check(sent=asked[1])
    for header in ("X_Original_URL", "X_Rewrite_URL", "X_HTTP_Method_Override", "X_Forwarded_Path", "X_Forwarded_User"):
        assert line.ask("GET", "/health", **{header: "/users"}).body == b'{"status":"ok"}'
        assert line.ask("GET", "/users", **{header: "admin"}).status == 401


def create_app_of(api: Api) -> FastAPI:
    """The application the server runs, to read its routes."""
    platform = open_platform(Settings(results_dir=api.results_dir), RecordingQueue(), passwords=CHEAP)
    app = create_app(platform)
    platform.installation.database.engine.dispose()
    return app


# ---- addresses that a server would fetch ----


def _addresses(port: int) -> list[str]:
    here = f"127.0.0.1:{port}"
    hosts = (here, f"localhost:{port}", f"[::ffff:127.0.0.1]:{port}", f"2130706433:{port}", f"0177.0.0.1:{port}")
    return [
        *(f"http://{host}/rows.csv" for host in hosts),
        f"HTTP://{here}/x", f"https://{here}/x", f"ftp://{here}/x", f"s3://{here}/x", f"gopher://{here}/x",
        f"http:/{here}/x", f"http:\\\\{here}\\x", f"http://a@{here}/x", f"hub:{here}/x", "hub:stanfordnlp/sst2",
        "hub:../../etc/passwd", "hf://datasets/stanfordnlp/sst2/x", f"zip://x::http://{here}/x",
        f"simplecache::http://{here}/x", f"\\\\{here}\\share\\x", f"//{here}/x", "file:///etc/passwd",
        "file:/etc/passwd", "/etc/passwd", "../../../etc/passwd", "data:text/csv,text", "jdbc:sqlite:x",
    ]  # fmt: skip


def test_no_address_a_client_names_is_fetched(api: Api, listener: Listener) -> None:
    socket.create_connection(("127.0.0.1", listener.port)).close()
    while not listener.arrived:
        threading.Event().wait(0.01)
    listener.arrived.clear()
    file = {"file": ("rows.csv", as_csv(labelled_rows()))}
    with api.client() as ada:
        for address in _addresses(listener.port):
            configs = [
                CONFIG | {"data": {"train": address}},
                CONFIG | {"data": {"train": "reviews@1", "eval": address, "test": address}},
                CONFIG | {"model": {"name": address}},
            ]
            for path, config in itertools.product(("/train", "/plan"), configs):
                answer = ada.post(path, json=config)
                assert answer.status_code == 422, (address, answer.text)
            checked = [ada.post("/config/validate", json=config).json() for config in configs]
            assert [one["valid"] for one in checked] == [False] * 3, address
            for path in ("/datasets", "/predictions"):
                assert ada.post(path, data={"file": address, "name": "b", "run": "a"}).status_code == 422, path
            shown = ada.get(f"/experiments/a/artifacts/{quote(address, safe='')}")
            assert shown.status_code == 404, address
        for path, form in (("/datasets", {"name": address}), ("/predictions", {"run": address})):
            assert ada.post(path, files=file, data=form).status_code == 422, (path, address)
        asked = {"base_model": f"http://127.0.0.1:{listener.port}/model"}
        answer = ada.post("/datasets/validate", files=file, data=asked)
        assert answer.status_code == 422, answer.text
    assert listener.arrived == []


# ---- files that run when they are opened ----


class Touch:
    """What a pickle can do: make a directory where it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.path,)


def test_no_pickle_is_ever_loaded(api: Api, tmp_path: Path) -> None:
    marker = tmp_path / "it-ran"
    pickled, saved, array = pickle.dumps(Touch(marker)), BytesIO(), BytesIO()
    with zipfile.ZipFile(saved, "w") as as_torch_saves:
        as_torch_saves.writestr("archive/data.pkl", pickled)
        as_torch_saves.writestr("archive/version", "3")
    np.save(array, np.array([Touch(marker)], dtype=object), allow_pickle=True)
    contents = {
        "rows.pkl": pickled,
        "rows.csv": pickled,
        "rows.parquet": pickled,
        "model.pt": saved.getvalue(),
        "rows.npy": array.getvalue(),
    }
    with api.client() as ada:
        for name, content in contents.items():
            answer = ada.post("/datasets/validate", files={"file": (name, content)})
            assert (answer.status_code, answer.json()["code"]) == (422, "data.unreadable"), (name, answer.text)
    assert not marker.exists()
    pickle.loads(pickled)
    assert marker.is_dir(), "that is what would have been seen"


# ---- pages of other origins ----

KNOWN = ("localhost", "LOCALHOST", "localhost:8000", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8000", "localhost:")
UNKNOWN = (
    "evil.example", "evil.example:8000", "localhost.evil.example", "evil.localhost", "localhost.", "127.0.0.1.nip.io",
    "127.1", "0.0.0.0", "2130706433", "[::ffff:127.0.0.1]", "::1", "[::2]:8000", "localhost@evil.example",
    "localhost:80@evil.example", "localhost:evil.example", "localhost:8000:evil", "localhost,evil.example",
    "localhost/evil.example", "localhost%00.evil.example", "[::1].evil.example", "evil.example#localhost", "",
)  # fmt: skip


def test_only_names_of_this_installation_are_answered(api: Api, line: Line) -> None:
    for host in KNOWN:
        assert line.ask("GET", "/health", Host=host).status == 200, host
    for host in UNKNOWN:
        answer = line.ask("GET", "/health", Host=host)
        assert (answer.status, b'"ok"' in answer.body) == (400, False), host
        answer.check(sent=host)
    forwarded = {"X_Forwarded_Host": "localhost", "Forwarded": "host=localhost", "X_Host": "localhost"}
    assert line.ask("GET", "/health", Host="evil.example", **forwarded).status == 400
    assert line.ask("GET", "http://localhost/health", Host="evil.example").status == 400
    assert line.ask("GET", "http://evil.example/health").status == 404
    misled = line.ask("GET", "/tasks/", X_Forwarded_Host="evil.example", X_Forwarded_Proto="https")
    assert "evil.example" not in json.dumps(misled.headers) + misled.body.decode()
    with socket.create_connection(("127.0.0.1", api.port), timeout=240) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")

"""What is created is created once, though the answer is lost: a proxy between client and server drops it."""

import http.client
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from app.client import Client
from app.client.datasets import Files
from app.client.retrying import Retrying
from app.domain.errors import Conflict
from app.domain.train_config import TrainConfig
from app.schemas.datasets import AddForm, DatasetCreated
from tests.api_data import as_csv, labelled_rows
from tests.api_server import ApiServer


class _Handler(socketserver.StreamRequestHandler):
    server: "_Proxy"

    def handle(self) -> None:
        method, path, _ = self.rfile.readline().decode().split(" ", 2)
        headers = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(": ")
            headers[name] = value
        lower = {name.lower(): value for name, value in headers.items()}
        body = self.rfile.read(int(lower.get("content-length", 0)))
        upstream = http.client.HTTPConnection(self.server.target.removeprefix("http://"), timeout=60)
        upstream.request(method, path, body, {**headers, "Connection": "close"})
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        with self.server.lock:
            self.server.passed.append((method, path, answer.status))
            is_lost = (method, path) in self.server.to_lose
            self.server.to_lose.discard((method, path))
        if is_lost:
            return
        kept = [f"{name}: {value}" for name, value in answer.getheaders() if name.lower() not in _HOP]
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *kept, f"Content-Length: {len(content)}"]
        self.wfile.write(("\r\n".join(lines) + "\r\nConnection: close\r\n\r\n").encode() + content)


_HOP = ("connection", "content-length", "transfer-encoding")


class _Proxy(socketserver.ThreadingTCPServer):
    """Passes requests on; of each request in `to_lose` the first answer never arrives."""

    daemon_threads = True

    def __init__(self, target: str, to_lose: set[tuple[str, str]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target, self.to_lose, self.lock = target, to_lose, threading.Lock()
        self.passed: list[tuple[str, str, int]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def losing() -> Iterator[Callable[..., _Proxy]]:
    """`losing(address, (method, path), ...)` starts a proxy that loses the first answer to these requests."""
    with ExitStack() as stack:

        def start(target: str, *requests: tuple[str, str]) -> _Proxy:
            proxy = stack.enter_context(_Proxy(target, set(requests)))
            threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
            stack.callback(proxy.shutdown)
            return proxy

        yield start


def _through(proxy: _Proxy, client: Client) -> Client:
    """The same person, by way of the proxy."""
    retrying = Retrying(first_seconds=0.01)
    return Client(proxy.address, client.connection.sign_in, retrying=retrying)


def test_an_account_whose_answer_was_lost_is_made_once(api_server: ApiServer, losing: Any) -> None:
    with api_server.signed_in("admin") as client:
        proxy = losing(api_server.address, ("POST", "/users"))
        with _through(proxy, client) as unlucky:
            made = unlucky.users.create("ada", "a long enough password")
        assert [status for *_, status in proxy.passed] == [201, 201]
        assert [user.username for user in client.users.all()] == ["ada", "admin"]
        assert client.users.show("ada") == made


def test_a_training_whose_answer_was_lost_is_submitted_once(
    api_server: ApiServer, losing: Any, own_reviews: Any
) -> None:
    with api_server.signed_in("user") as client:
        own_reviews(api_server.platform, "user")
        proxy = losing(api_server.address, ("POST", "/train"), ("POST", "/plan"))
        config = TrainConfig.model_validate({"experiment_name": "reviews", "data": {"train": "reviews@1"}})
        with _through(proxy, client) as unlucky:
            accepted = unlucky.train.submit(config)
            planned = unlucky.train.plan(config)
            unlucky.tasks.cancel(accepted.task_id)
        assert [status for *_, status in proxy.passed] == [202, 202, 202, 202, 202]
        assert [one.name for one in client.experiments.all()] == [accepted.experiment] == ["reviews-001"]
        assert {one.task_id for one in client.tasks.all()} == {accepted.task_id, planned.task_id}
        assert client.config.validate(config).valid
        assert client.config.schema()["title"] == "TrainConfig"


def test_a_file_whose_answer_was_lost_is_stored_once(api_server: ApiServer, losing: Any, tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_bytes(as_csv(labelled_rows()))
    with api_server.signed_in("user") as client:
        proxy = losing(api_server.address, ("POST", "/datasets"), ("POST", "/datasets/reviews/shares"))
        with _through(proxy, client) as unlucky:
            made = unlucky.datasets.add(AddForm(name="reviews"), Files(train=path))
            assert isinstance(made, DatasetCreated)
            unlucky.shares.share_data_set("reviews", "*")
        assert made.is_new
        assert [status for *_, status in proxy.passed] == [201, 201, 201, 201]
        assert len(client.datasets.show("reviews").versions) == 1
        assert [share.grantee for share in client.shares.of_data_set("reviews")] == ["*"]
        client.shares.unshare_data_set("reviews", "*")
        assert client.shares.of_data_set("reviews") == []


def test_what_was_made_by_another_wish_is_made_again(api_server: ApiServer) -> None:
    with api_server.signed_in("admin") as client:
        client.users.create("ada", "a long enough password")
        with pytest.raises(Conflict):
            client.users.create("ada", "a long enough password")

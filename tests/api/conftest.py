"""The API of an installation of its own, in this process, and accounts of every role to call it as.

The queue is the only stand-in: it is a process border, and remembers what was sent.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.auth.passwords import Passwords
from app.domain.errors import ServiceUnavailable
from app.domain.principal import Caller, Role
from app.domain.task import TaskKind
from app.main import create_app
from app.services import accounts
from app.services.platform import Platform, open_platform
from app.settings import get_settings

ADDRESS = "http://localhost"
PASSWORD = "a quiet river at dusk"
CHEAP = Passwords(time_cost=1, memory_kib=8, parallelism=1)
"""Hashes in a millisecond; what the product uses costs 64 MiB each time."""


@dataclass
class RecordingQueue:
    """A queue that remembers what was sent; `is_down` makes it unreachable."""

    sent: list[tuple[str, TaskKind]] = field(default_factory=list)
    is_down: bool = False

    def send(self, task_id: str, kind: TaskKind) -> None:
        self.check()
        self.sent.append((task_id, kind))

    def check(self) -> None:
        if self.is_down:
            raise ServiceUnavailable("the queue does not answer", hint="try again later")


class Account(TestClient):
    """A client that is signed in: each request carries the account's access token."""

    def __init__(self, app: FastAPI, username: str, tokens: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        super().__init__(app, base_url=ADDRESS, headers=headers, raise_server_exceptions=False)
        self.username, self.tokens = username, tokens


@pytest.fixture
def queue() -> RecordingQueue:
    """What the API sends to workers."""
    return RecordingQueue()


@pytest.fixture
def database_address() -> str:
    """That of the settings. A module that shows how its tests hold on both databases gives `database_url` here."""
    return get_settings().database_url


@pytest.fixture
def platform(queue: RecordingQueue, database_address: str) -> Iterator[Platform]:
    """An installation without accounts, runs or data."""
    settings = get_settings().model_copy(update={"database_url": database_address})
    platform = open_platform(settings, queue, passwords=CHEAP)
    yield platform
    platform.installation.database.engine.dispose()


@pytest.fixture
def api(platform: Platform) -> FastAPI:
    """The application that serves the installation."""
    return create_app(platform)


@pytest.fixture
def client(api: FastAPI) -> TestClient:
    """A client nobody has signed in with; a crash of the server is a 500, as over a network."""
    return TestClient(api, base_url=ADDRESS, raise_server_exceptions=False)


@pytest.fixture
def sign_in(platform: Platform, api: FastAPI, client: TestClient) -> Callable[..., Account]:
    """`sign_in(role="user", username=None)` signs in over HTTP and gives a client that is that account.

    The account is made at its first use, with PASSWORD; without a name there is one of each role: `admin`, `user`,
    `viewer`.
    """
    made: set[str] = set()

    def enter(role: str = "user", username: str | None = None) -> Account:
        name = username or role
        if name not in made:
            accounts.create_user(platform, Caller(local_user="tests"), name, PASSWORD, Role(role))
            made.add(name)
        answer = client.post("/login", json={"username": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return Account(api, name, answer.json())

    return enter

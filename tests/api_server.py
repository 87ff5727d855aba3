"""The API on a real server and a real database, for whatever speaks to it over the loopback interface."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from app.client import Client
    from app.services.platform import Platform
    from tests.api.conftest import RecordingQueue

PASSWORD = "a quiet river at dusk"


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an ASGI application on a free port; yields its address."""
    import uvicorn

    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=1, ws="none")
    server = uvicorn.Server(config)
    started = threading.Event()
    startup = server.startup

    async def tell(*arguments: Any, **named: Any) -> None:
        await startup(*arguments, **named)
        started.set()

    server.startup = tell  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert started.wait(60)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """`serve(app)` serves an ASGI application until the test has ended and gives its address."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(served(app))


@dataclass(frozen=True)
class ApiServer:
    """A real API on a real database, and how to be somebody there."""

    platform: "Platform"
    address: str
    queue: "RecordingQueue"
    app: Any

    def account(self, role: str = "user", username: str | None = None) -> str:
        """Make an account with PASSWORD; its name."""
        from app.domain.principal import Caller, Role
        from app.services import accounts

        name = username or role
        accounts.create_user(self.platform, Caller(local_user="tests"), name, PASSWORD, Role(role))
        return name

    @contextmanager
    def signed_in(self, role: str = "user", username: str | None = None) -> "Iterator[Client]":
        """A client that is a new account."""
        from app.client import Client

        with Client(self.address) as client:
            client.sign_in(self.account(role, username), PASSWORD)
            yield client


@pytest.fixture
def api_server() -> Iterator[ApiServer]:
    """The installation of this test's settings, served over the loopback interface."""
    from app.main import create_app
    from app.services.platform import open_platform
    from app.settings import get_settings
    from tests.api.conftest import CHEAP, RecordingQueue

    queue = RecordingQueue()
    platform = open_platform(get_settings(), queue, passwords=CHEAP)
    app = create_app(platform)
    with served(app) as address:
        yield ApiServer(platform, address, queue, app)
    platform.installation.database.engine.dispose()  # once no request holds a connection any more

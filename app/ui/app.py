"""Composition root of the web interface (:8501): Streamlit behind the sign-in.

`python -m app.ui.app SOCKET` serves it on a listening socket that is inherited; `finetune ui` makes one and starts
it.
"""

import logging
import signal
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from streamlit import config
from streamlit.starlette import App

from app.settings import Settings, get_settings
from app.ui import context
from app.ui.gate import Gate
from app.ui.page_language import PageLanguage
from app.ui.senders import Senders
from app.ui.sessions import Sessions
from app.ui.sign_in import SignInPages
from app.ui.uploads import Uploads

SCRIPT = Path(__file__).parent / "script" / "page.py"
"""In a folder of its own: Streamlit would take a `pages` beside it for scripts to run by their name."""
SECONDS_TO_FINISH = 3
logger = logging.getLogger(__name__)


def create_app(settings: Settings) -> App:
    """The interface of the installation whose API is at `API_URL`."""
    folder, secret = settings.results_dir / "ui" / "sessions", settings.proxy_secret.get_secret_value()
    sessions = Sessions(folder, settings.effective_api_url, secret)
    context.install(sessions)
    pages = SignInPages(sessions, secure=settings.environment == "production")
    app = App(
        SCRIPT,
        routes=[*pages.routes(), Route("/healthz", _answer)],
        middleware=in_front(settings, sessions),
        on_script_error=_note,
    )
    # The application knows now where its config.toml is.
    config.get_config_options(force_reparse=True)
    config.set_option("server.maxUploadSize", max(1, settings.max_upload_bytes // 2**20))
    return app


def in_front(settings: Settings, sessions: Sessions) -> list[Middleware]:
    """What each request passes before Streamlit sees it, and each answer after."""
    return [
        Middleware(
            Gate, sessions=sessions, allowed_hosts=settings.allowed_hosts, trusted_proxies=settings.trusted_proxies
        ),
        Middleware(PageLanguage),
        Middleware(Senders, sessions=sessions),
        Middleware(Uploads, folder=settings.results_dir / "ui" / "files", max_bytes=settings.max_upload_bytes),
    ]


async def _answer(_request: Request) -> PlainTextResponse:
    """The process answers; asks nothing of anybody."""
    return PlainTextResponse("ok")


def _note(error: Exception) -> bool:
    """A fault of ours: the log has all of it, the page a sentence."""
    logger.error("a page failed", exc_info=error)
    context.show_fault()
    return True


def main(descriptor: str) -> int:
    """Serve until SIGTERM or SIGINT."""
    from app.domain.errors import PlatformError
    from app.monitor.logging_utils import configure_logging

    configure_logging()
    try:
        app = create_app(get_settings())
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    options = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn handles it, and then raises it again
    with socket.socket(fileno=int(descriptor)) as listening:
        uvicorn.Server(options).run(sockets=[listening])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

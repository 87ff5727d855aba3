"""`finetune ui`: the web interface alone; `finetune start` runs it with all it needs."""

from typing import Annotated

import typer


def ui(
    host: Annotated[str | None, typer.Option(help="default: UI_HOST, else 127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="default: UI_PORT, else 8501")] = None,
) -> None:
    """Serve the web interface on http://127.0.0.1:8501; it talks to the API at API_URL."""
    import os
    import sys

    from app.cli.listening import listen
    from app.settings import get_settings

    settings = get_settings()
    listening = listen(host or settings.ui_host, port or settings.ui_port, "UI_PORT")
    listening.set_inheritable(True)
    os.execv(sys.executable, [sys.executable, "-m", "app.ui.app", str(listening.detach())])

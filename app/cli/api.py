"""`finetune api`: the API alone; `finetune start` runs it with all it needs."""

from typing import Annotated

import typer


def api(
    host: Annotated[str | None, typer.Option(help="default: API_HOST, else 127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="default: API_PORT, else 8000")] = None,
) -> None:
    """Serve the API on http://127.0.0.1:8000 (its documentation at /docs)."""
    import os
    import sys

    from app.cli.listening import listen
    from app.settings import get_settings

    settings = get_settings()
    listening = listen(host or settings.api_host, port or settings.api_port, "API_PORT")
    listening.set_inheritable(True)
    os.execv(sys.executable, [sys.executable, "-m", "app.main", str(listening.detach())])

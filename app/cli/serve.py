"""`finetune serve`: the inference service on this machine."""

from typing import Annotated

import typer

from app.cli.server import local_only


@local_only("serve")
def serve(
    run: Annotated[
        str | None, typer.Option("--run", help="exact run, or experiment (its newest run); default: the newest run")
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="default: SERVE_PORT, else 8002")] = None,
) -> None:
    """Serve a finished run on http://127.0.0.1:8002 (POST /predict)."""
    import os
    import socket
    import sys

    from app.domain.errors import Conflict
    from app.runs.directory import choose_run
    from app.settings import get_settings, share_cores

    settings = get_settings()
    chosen, number = choose_run(settings.results_dir, run), port or settings.serve_port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError as error:
            raise Conflict(
                f"port {number} cannot be used: {error.strerror}", hint="stop what listens there, or give --port"
            ) from error
    share_cores()
    arguments = [sys.executable, "-m", "app.inference_api", str(chosen.path), str(number)]
    os.execv(sys.executable, arguments)

"""`finetune start` and `finetune stop`: the whole platform on this machine, as one thing."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import socket
    import subprocess
    from collections.abc import Callable, Mapping

    from app.cli.platform_log import PlatformLog
    from app.services.processes import Program
    from app.services.start_lock import StartLock
    from app.settings import Settings

SERVE_HOST = "127.0.0.1"
"""The API speaks to the models for everybody else."""
SECONDS_TO_START_QUEUE = 15.0
SECONDS_TO_STOP = {"queue": 10.0, "api": 15.0, "worker": 90.0, "ui": 10.0, "serve": 15.0}
SECONDS_TO_STOP_ALL = 120.0
LOG_FILE = "platform.log"


def start(
    workers: Annotated[int, typer.Option(min=0, max=64, help="how many workers run on this machine")] = 1,
) -> None:
    """Run the web interface, the API, the models, a worker and the queue's server until Ctrl-C; .env has the ports."""
    from contextlib import ExitStack, closing

    from app.cli.listening import check_free, listen
    from app.cli.platform_log import PlatformLog
    from app.services.processes import Processes
    from app.services.start_lock import start_lock
    from app.settings import get_settings

    settings = get_settings()
    with start_lock(settings.results_dir) as lock:
        if settings.redis_port and not settings.redis_url:
            check_free(settings.redis_port, "REDIS_PORT")
        with ExitStack() as sockets:
            api = sockets.enter_context(closing(listen(settings.api_host, settings.api_port, "API_PORT")))
            ui = sockets.enter_context(closing(listen(settings.ui_host, settings.ui_port, "UI_PORT")))
            models = sockets.enter_context(closing(listen(SERVE_HOST, settings.serve_port, "SERVE_PORT")))
            num_accounts = _preflight()
            addresses = {
                "UI": _address(settings.ui_host, settings.ui_port),
                "API": _address(settings.api_host, settings.api_port),
                "Serve": _address(SERVE_HOST, settings.serve_port),
            }
            lock.note(addresses)
            with closing(PlatformLog(settings.results_dir / "logs" / LOG_FILE)) as log:
                programs = [*_programs(settings, lock, api, ui, workers), _inference(settings, lock, models)]
                processes = Processes(programs, log.say)
                came_up = processes.run(lambda: _announce(log, settings, addresses, num_accounts), sockets.close)
                log.say("platform", "everything has stopped")
    raise typer.Exit(0 if came_up else 1)


def stop() -> None:
    """Stop what `finetune start` runs on this results directory; trainings save first."""
    from app.services import start_lock
    from app.settings import get_settings

    stopped = start_lock.stop(get_settings().results_dir, SECONDS_TO_STOP_ALL)
    print(f"stopped process {stopped.pid} and all it ran")


def _preflight() -> int:
    """Open the installation once; how many accounts it has. Exits as that did where it cannot be used."""
    import json
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-m", "app.cli.preflight"], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)
    num_accounts: int = json.loads(done.stdout)["accounts"]
    return num_accounts


def _programs(
    settings: "Settings", lock: "StartLock", api: "socket.socket", ui: "socket.socket", workers: int
) -> "list[Program]":
    import secrets

    from app.services.processes import Program
    from app.tasks.broker import EmbeddedBroker
    from app.tasks.heartbeat import Heartbeat

    programs = []
    if not settings.redis_url:
        broker = EmbeddedBroker(settings, keep=(lock.descriptor,))
        programs.append(
            Program(
                "queue",
                broker.start,
                broker.is_ready,
                is_well=broker.socket.exists,
                seconds_to_start=SECONDS_TO_START_QUEUE,
                seconds_to_stop=SECONDS_TO_STOP["queue"],
            )
        )
    own = {"PROXY_SECRET": settings.proxy_secret.get_secret_value() or secrets.token_urlsafe(32)}
    programs.append(
        Program(
            "api",
            _starter(["app.main", str(api.fileno())], (api.fileno(), lock.descriptor), own),
            lambda: _answers(settings, settings.api_host, settings.api_port, "/ready"),
            ("queue",),
            seconds_to_stop=SECONDS_TO_STOP["api"],
        )
    )
    programs.append(
        Program(
            "ui",
            _starter(["app.ui.app", str(ui.fileno())], (ui.fileno(), lock.descriptor), own),
            lambda: _answers(settings, settings.ui_host, settings.ui_port, "/healthz"),
            ("api",),
            seconds_to_stop=SECONDS_TO_STOP["ui"],
        )
    )
    for number in range(1, workers + 1):
        name = f"worker-{number}" if workers > 1 else "worker"
        programs.append(
            Program(
                name,
                _starter(["app.cli", "worker", "--name", name], (lock.descriptor,)),
                Heartbeat(settings, name).is_ready,
                ("queue",),
                seconds_to_stop=SECONDS_TO_STOP["worker"],
            )
        )
    return programs


def _inference(settings: "Settings", lock: "StartLock", models: "socket.socket") -> "Program":
    """The models of finished runs; the interface does without until it is up."""
    from app.services.processes import Program

    return Program(
        "serve",
        _starter(["app.inference_api", str(models.fileno())], (models.fileno(), lock.descriptor)),
        lambda: _answers(settings, SERVE_HOST, settings.serve_port, "/ready"),
        ("api",),
        seconds_to_stop=SECONDS_TO_STOP["serve"],
    )


def _starter(
    arguments: list[str], inherited: tuple[int, ...], variables: "Mapping[str, str] | None" = None
) -> "Callable[[int], subprocess.Popen[bytes]]":
    """What starts `python -m ARGUMENTS`; the program gets SIGTERM when this process dies, and no Ctrl-C before."""
    import os
    import subprocess
    import sys

    def start_it(output: int) -> "subprocess.Popen[bytes]":
        parent = [sys.executable, "-m", "app.services.child", str(os.getpid())]
        return subprocess.Popen(
            [*parent, sys.executable, "-u", "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=inherited,
            env=os.environ | (variables or {}),
        )

    return start_it


def _answers(settings: "Settings", host: str, port: int, path: str) -> bool:
    """Whether a program says that it is ready."""
    import http.client

    connection = http.client.HTTPConnection(_reachable(host), port, timeout=1)
    try:
        connection.request("GET", path, headers={"Host": settings.allowed_hosts[0]})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared


def _address(host: str, port: int) -> str:
    host = _reachable(host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _announce(log: "PlatformLog", settings: "Settings", addresses: dict[str, str], num_accounts: int) -> None:
    """Say where everything is, and how the first administrator is made where there is none."""
    import shlex
    import sys

    log.say("platform", "ready: " + ", ".join(f"{name} {address}" for name, address in addresses.items()))
    lines = ["", "The platform is ready."]
    lines += [
        f"  {name:<5} {address}{f'   (docs: {address}/docs)' if name == 'API' else ''}"
        for name, address in addresses.items()
    ]
    lines += [f"  log   {settings.results_dir / 'logs' / LOG_FILE}"]
    if not num_accounts:
        program = shlex.quote(sys.argv[0]) if sys.argv[0].endswith("finetune") else "finetune"
        lines += [
            "There is no account yet. Make the first administrator, in another terminal:",
            f"  {program} users create admin --role admin --password-stdin",
            f"or in a browser, with the code that the API shows above: {addresses['UI']}/setup",
        ]
    for line in [*lines, "Ctrl-C stops everything.", ""]:
        log.show(line)

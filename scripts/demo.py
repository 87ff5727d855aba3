"""`make demo`: the platform with an administrator, the example data and one finished run, in a browser.

It has an installation of its own beside yours (RESULTS_DIR/demo). The password of `demo` is made anew at each start and
shown once.
"""

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
import webbrowser
from pathlib import Path

from app.client import Client
from app.client.datasets import Files
from app.domain.errors import PlatformError
from app.domain.events import Event, StepLogged
from app.schemas.datasets import AddForm, DatasetCreated
from app.settings import Settings, get_settings

FINETUNE = str(Path(sys.executable).with_name("finetune"))
EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "reviews_train.csv"
ACCOUNT, DATA = "demo", "reviews"
SECONDS_TO_START = 120.0
SECONDS_TO_END = 15.0


def main() -> int:
    """Start, fill what is missing, open the browser, and stay until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-steps", type=int, help="end the example run after so many steps")
    parser.add_argument("--no-browser", action="store_true", help="only say where the interface is")
    options = parser.parse_args()
    try:
        os.environ["RESULTS_DIR"] = str(get_settings().results_dir / "demo")
        get_settings.cache_clear()
        return _run(get_settings(), options)
    except PlatformError as error:
        print(f"error: {error.message}\n  hint: {error.hint}", file=sys.stderr)
        return 1


def _run(settings: Settings, options: argparse.Namespace) -> int:
    password = _account()
    # It hears Ctrl-C itself, stops all it runs, and is waited for.
    with subprocess.Popen([FINETUNE, "start"]) as platform:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: platform.terminate())
        try:
            if _fill(platform, settings, password, options.max_steps):
                _tell(settings, password, with_browser=not options.no_browser)
        except PlatformError:
            # After Ctrl-C nobody answers any more, which is as it should be.
            if platform.poll() is None and not _is_ending(platform):
                platform.terminate()
                raise
        return platform.wait()


def _is_ending(platform: "subprocess.Popen[bytes]") -> bool:
    """Whether it ends by itself within some seconds."""
    try:
        platform.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        return False
    return True


def _account() -> str:
    """Make the administrator, or give it another password; the password."""
    password = secrets.token_urlsafe(12)
    made = _users("create", ACCOUNT, "--role", "admin", typed=password)
    if made.returncode and _users("reset-password", ACCOUNT, typed=password).returncode:
        raise PlatformError(made.stderr.strip(), hint="the lines above say why")
    return password


def _users(*words: str, typed: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [FINETUNE, "users", *words, "--password-stdin"], input=typed, text=True, capture_output=True, check=False
    )


def _fill(platform: "subprocess.Popen[bytes]", settings: Settings, password: str, max_steps: int | None) -> bool:
    """See that there is data and a run; False where the platform ended meanwhile."""
    with Client(settings.effective_api_url) as client:
        if not _has_started(platform, client):
            return False
        client.sign_in(ACCOUNT, password)
        if all(one.name != DATA for one in client.datasets.all()):
            added = client.datasets.add(AddForm(name=DATA), Files(train=EXAMPLES))
            assert isinstance(added, DatasetCreated)
        if any(client.experiments.page(limit=1).items):
            return True
        training = {"max_steps": max_steps} if max_steps else {}
        config = {"experiment_name": DATA, "data": {"train": f"{DATA}@1"}, "training": training}
        accepted = client.train.submit(config)
        print(f"demo     | trains {accepted.experiment} on {EXAMPLES.name}, so that there is something to look at")
        client.tasks.wait(accepted.task_id, _show)
    return platform.poll() is None


def _has_started(platform: "subprocess.Popen[bytes]", client: Client) -> bool:
    deadline = time.monotonic() + SECONDS_TO_START
    while platform.poll() is None and time.monotonic() < deadline:
        try:
            client.system.ready()
        except PlatformError:
            time.sleep(0.5)
            continue
        return True
    return False


def _show(event: Event) -> None:
    if isinstance(event, StepLogged):
        print(f"demo     | step {event.step} of {event.total_steps}, {event.eta_seconds or 0:.0f} s to go", flush=True)


def _tell(settings: Settings, password: str, *, with_browser: bool) -> None:
    host = "127.0.0.1" if settings.ui_host in ("0.0.0.0", "::") else settings.ui_host  # noqa: S104 - compared
    address = f"http://{host}:{settings.ui_port}"
    print(f"\n  {address}\n  name      {ACCOUNT}\n  password  {password}\n\nCtrl-C stops everything.", flush=True)
    if with_browser:
        webbrowser.open(address)


if __name__ == "__main__":
    sys.exit(main())

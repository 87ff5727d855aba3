"""Real processes: `finetune start` in a directory of its own, and waiting for what it does as long as that takes."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import httpx
import psutil

from tests.servers import free_port

PATIENCE_SECONDS = 300
REPOSITORY = Path(__file__).resolve().parents[2]
FINETUNE = [sys.executable, "-m", "app.cli"]
READY = "Ctrl-C stops everything."


def wait_until(holds: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Return as soon as something holds; fail with `what` was waited for."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked for its status yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until_gone(pids: Iterable[int]) -> None:
    """Return when all of these have ended."""
    left = set(pids)
    wait_until(lambda: not {pid for pid in left if not is_gone(pid)}, f"the end of {left}")


class Started:
    """`finetune start` in a folder whose `.env` has the settings; `command` starts it, on the code in `code`."""

    def __init__(
        self,
        folder: Path,
        settings: dict[str, object],
        command: Sequence[str] = (*FINETUNE, "start"),
        code: Path = REPOSITORY,
    ) -> None:
        settings = {"UI_PORT": free_port(), "SERVE_PORT": free_port()} | settings
        self.folder = folder
        self.ui_url = f"http://127.0.0.1:{settings['UI_PORT']}"
        self.url = f"http://127.0.0.1:{settings['API_PORT']}"
        (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()), encoding="utf-8")
        self.environment = {
            name: value for name, value in os.environ.items() if name not in {"RESULTS_DIR", *settings}
        } | {"PYTHONPATH": str(code)}
        self._output = folder / "terminal.txt"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def terminal(self) -> str:
        """What it has shown so far."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    def wait_until_ready(self) -> None:
        """Return when it says so."""

        def is_ready() -> bool:
            assert self.process.poll() is None, self.terminal
            return READY in self.terminal

        wait_until(is_ready, "the platform")

    def run(self, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """`finetune WORDS` with the same settings."""
        return subprocess.run(
            [*FINETUNE, *words], cwd=self.folder, env=self.environment, input=typed, capture_output=True, text=True
        )

    def family(self) -> dict[int, str]:
        """All processes it has started, those of theirs too, each with its command line."""
        lines = {}
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                lines[child.pid] = " ".join(child.cmdline())
        return lines

    def pid_of(self, part: str) -> int:
        """The one process whose command line has `part`, as soon as there is one."""

        def found() -> list[int]:
            return [pid for pid, line in self.family().items() if part in line]

        wait_until(lambda: len(found()) == 1, part)
        return found()[0]

    def get(self, path: str) -> httpx.Response:
        """What the API answers."""
        return httpx.get(self.url + path, timeout=PATIENCE_SECONDS, trust_env=False)

    def interrupt(self) -> None:
        """Ctrl-C, which a terminal sends to all it has started."""
        os.killpg(self.process.pid, signal.SIGINT)

    def close(self) -> None:
        """Leave nothing behind, however the test went."""
        if self.process.poll() is None:
            left = self.family()
            self.interrupt()
            try:
                self.process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            wait_until_gone(left)

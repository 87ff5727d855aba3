"""The engine in processes of its own, which are forked from one that has loaded what it loads.

Loading torch and transformers takes longer than most trainings of the tests. `python -m app.train` itself is started by
what the command line, the platform and the campaign of faults do.
"""

import multiprocessing
import os
import signal
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from app.runs.directory import RunDirectory

SECONDS = 300.0
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["app.train.runner", "app.train.report"])


def _train(directory: str, log: str, environment: dict[str, str], folder: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for standard in (1, 2):
        os.dup2(output, standard)
    from app.train.__main__ import main

    sys.exit(main([directory]))


class Engine:
    """`python -m app.train` on a run; what it prints goes to a file, the run's log unless another is named."""

    def __init__(self, run: RunDirectory, log: Path | None = None) -> None:
        given = (str(run.path), str(log or run.log), dict(os.environ), str(Path.cwd()))
        self._process: ForkServerProcess = _context.Process(target=_train, args=given)
        self._process.start()

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit status, minus the number of the signal that ended it; None while it works."""
        return self._process.exitcode

    def wait(self, timeout: float = SECONDS) -> int:
        """Its exit status once it has ended; TimeoutError where it has not by then."""
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise TimeoutError(f"the engine has not ended in {timeout:g} s")
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def trained(run: RunDirectory) -> RunDirectory:
    """A run that the engine has done, from `config.yaml` in its directory."""
    assert Engine(run).wait() == 0, run.log.read_text(encoding="utf-8")[-2000:]
    return run

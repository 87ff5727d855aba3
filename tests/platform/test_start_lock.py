"""One start for each results directory: the second says who was first, and `finetune stop` finds it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.errors import Conflict, NotFound
from app.services import start_lock as module
from app.services.start_lock import running, start_lock, stop

HOLDER = """
import os, signal, subprocess, sys
from pathlib import Path
from app.services.start_lock import start_lock
with start_lock(Path(sys.argv[1])) as lock:
    lock.note({"API": "http://127.0.0.1:8123"})
    child = subprocess.Popen(sys.argv[2:], pass_fds=(lock.descriptor,)) if sys.argv[2:] else None
    print(child.pid if child else "", flush=True)
    signal.sigwait([signal.SIGTERM])
"""


def hold(results_dir: Path, *child: str) -> "subprocess.Popen[str]":
    """Another process that holds the lock, perhaps with a child that inherits it."""
    preset = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
    command = [sys.executable, "-c", preset + HOLDER, str(results_dir), *child]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    holder.first_line = holder.stdout.readline().strip()  # type: ignore[attr-defined]
    return holder


def test_a_second_start_says_who_was_first_and_where_it_answers(tmp_path: Path) -> None:
    with hold(tmp_path) as holder:
        with pytest.raises(Conflict) as caught, start_lock(tmp_path):
            pass
        stop(tmp_path, 30)
    assert caught.value.code == "start.running"
    assert f"process {holder.pid} " in caught.value.message
    assert "http://127.0.0.1:8123" in caught.value.message


def test_stop_waits_for_the_end_and_then_the_directory_is_free(tmp_path: Path) -> None:
    with hold(tmp_path) as holder:
        assert stop(tmp_path, 30).pid == holder.pid
        with start_lock(tmp_path):
            found = running(tmp_path)
            assert found is not None
            assert found.pid == os.getpid()
    assert running(tmp_path) is None


def test_where_nothing_runs_there_is_nothing_to_stop(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nothing was started"):
        stop(tmp_path, 30)


def test_after_a_kill_the_next_start_waits_for_what_the_first_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hold(tmp_path, sys.executable, "-c", "import signal; signal.pause()") as holder:
        holder.kill()
        holder.wait()
        left = int(holder.first_line)  # type: ignore[attr-defined]
        monkeypatch.setattr(module, "SECONDS_TO_END", 0.3)
        with pytest.raises(Conflict) as caught, start_lock(tmp_path):
            pass
        assert caught.value.code == "start.unfinished"
        monkeypatch.setattr(module, "SECONDS_TO_END", 60.0)
        os.kill(left, 9)
        with start_lock(tmp_path):
            assert running(tmp_path) is not None

"""The one log: a prefix for each program, one time for each line, on the terminal and in a file that is rotated."""

import contextlib
import os
import re
import stat
import sys
from pathlib import Path

import pytest

from app.cli import platform_log as module
from app.cli.platform_log import PlatformLog

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_a_line_has_the_name_of_its_program_on_the_terminal_and_a_time_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = PlatformLog(tmp_path / "logs" / "platform.log")
    log.say("api", "2026-01-31T12:00:00.000Z INFO ours has its time already")
    log.say("queue", "4711:M 25 Nov 2026 19:18:31.123 * Ready to accept connections")
    log.say("worker-2", "another 文字 speaks")
    log.close()
    first, second, third = lines_of(tmp_path / "logs" / "platform.log")
    assert first == "2026-01-31T12:00:00.000Z api      | INFO ours has its time already"
    assert re.fullmatch(rf"{TIME} queue    \| Ready to accept connections", second)
    assert re.fullmatch(rf"{TIME} worker-2 \| another 文字 speaks", third)
    assert capsys.readouterr().out.splitlines()[0] == "api      | INFO ours has its time already"


def test_what_would_steer_the_terminal_is_shown_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = PlatformLog(tmp_path / "platform.log")
    log.say("api", "\x1b[2J gone")
    log.close()
    assert capsys.readouterr().out == "api      | \\x1b[2J gone\n"


def test_the_file_is_its_owners_alone_and_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 1000)
    path = tmp_path / "platform.log"
    log = PlatformLog(path)
    for number in range(1000):
        log.say("api", f"line {number}")
    log.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) == 1 + module.KEPT_FILES
    assert all(file.stat().st_size <= 1000 for file in files)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert lines_of(path)[-1].endswith("line 999")


def test_a_terminal_nobody_reads_from_holds_up_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr("sys.stdout", os.fdopen(writer, "w"))
    monkeypatch.setattr(module, "MAX_WAITING_LINES", 10)
    log = PlatformLog(tmp_path / "platform.log")
    for number in range(3000):
        log.say("api", f"{number} {'x' * 100}")
    assert lines_of(tmp_path / "platform.log")[-1].split()[-2] == "2999"
    os.close(reader)  # nor does one that has gone away
    log.close()
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full to stand for a disk without room")
def test_a_full_disk_costs_lines_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "platform.log").symlink_to("/dev/full")
    log = PlatformLog(tmp_path / "platform.log")
    log.say("api", "still shown")
    log.close()
    assert capsys.readouterr().out == "api      | still shown\n"

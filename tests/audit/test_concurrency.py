"""Many threads of many processes record at once, and the log stays one unbroken chain."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.db.session import open_database
from app.services.audit_verification import verify as verify_log
from app.services.auditing import AuditLog
from tests.audit.events import KEY, LOCAL, columns

PROCESSES, THREADS, EVENTS = 3, 4, 25
WRITER = """
import sys, threading
from pathlib import Path
from app.db.session import open_database
from app.domain.principal import Caller
from app.services.auditing import AuditLog

url, results, key, threads, events = sys.argv[1:]
audit = AuditLog(open_database(url), key.encode(), Path(results))

def record(thread):
    for number in range(int(events)):
        if number % 2:
            audit.append_now(Caller(local_user="w"), "a.b", f"c:{thread}", details={"n": number})
            continue
        with audit.database.write() as session:
            audit.append(session, Caller(local_user="w"), "a.b", f"c:{thread}", details={"n": number})

print("ready", flush=True)
sys.stdin.readline()
running = [threading.Thread(target=record, args=(n,)) for n in range(int(threads))]
[thread.start() for thread in running]
[thread.join() for thread in running]
"""


def start_writer(audit: AuditLog, threads: int, events: int) -> subprocess.Popen[str]:
    """A process that waits for a line and then records from several threads."""
    url = audit.database.engine.url.render_as_string(hide_password=False)
    results = str(audit.checkpoints.path.parent.parent)
    words = [sys.executable, "-c", WRITER, url, results, KEY.decode(), str(threads), str(events)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def begin(writers: list[subprocess.Popen[str]]) -> None:
    """Let all of them start at the same moment."""
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()


def test_many_processes_and_threads_keep_one_chain(audit: AuditLog, verify: Callable[[], list[Any]]) -> None:
    writers = [start_writer(audit, THREADS, EVENTS) for _ in range(PROCESSES)]
    begin(writers)
    errors = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * PROCESSES, errors
    assert errors == [""] * PROCESSES
    assert columns(audit, "id") == list(range(1, PROCESSES * THREADS * EVENTS + 1))
    assert verify() == []


def test_a_writer_that_is_killed_leaves_a_whole_chain(audit: AuditLog, verify: Callable[[], list[Any]]) -> None:
    writers = [start_writer(audit, THREADS, 100_000) for _ in range(2)]
    try:
        begin(writers)
        while len(columns(audit, "id")) < 50:
            assert all(writer.poll() is None for writer in writers)
    finally:
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            writer.communicate()
    audit.append_now(LOCAL, "a.b", "c:after")
    assert columns(audit, "resource")[-1] == "c:after"
    assert verify() == []


def test_threads_that_share_one_log_keep_one_chain(audit: AuditLog, verify: Callable[[], list[Any]]) -> None:
    gate = threading.Barrier(8)

    def record() -> None:
        gate.wait()
        for _ in range(20):
            audit.append_now(LOCAL, "a.b", "c:d")

    threads = [threading.Thread(target=record) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert columns(audit, "id") == list(range(1, 161))
    assert verify() == []


def test_an_event_has_one_hash_on_every_database(audit: AuditLog, tmp_path: Path, postgresql_url: str) -> None:
    """A log moved row by row from one database to another is still whole."""
    from sqlalchemy import insert

    from app.db.tables import AuditEventRow, AuditHeadRow

    details = {"float": 0.1, "large": 2**60, "none": None, "name": "é😀\\", "list": [1, 2.0, -0.0, {"a": True}]}
    for number in range(5):
        audit.append_now(LOCAL, "a.b", f"c:{number}", details={**details, "n": number})
    url = postgresql_url if audit.database.engine.dialect.name == "sqlite" else f"sqlite:///{tmp_path / 'other.db'}"
    moved = AuditLog(open_database(url), KEY, tmp_path / "elsewhere")
    with audit.database.read() as source, moved.database.write() as target:
        for table in (AuditEventRow, AuditHeadRow):
            rows = [dict(row._mapping) for row in source.execute(table.__table__.select())]
            target.execute(insert(table.__table__), rows)
    found = verify_log(moved)
    assert (found.events, found.faults) == (5, ())

"""What is removed by itself: checkpoints beyond a run's own rule, what died halfway, what has expired.

Each duty is done by one process at a time, under a lease in the database, and not more often than it says. What is
removed is recorded in the audit log before.
"""

import logging
import re
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.data import garbage
from app.db.repositories import idempotency, leases, login_sessions, retention, stored_work
from app.db.tables.base import utc_now
from app.domain.data_version import Garbage
from app.domain.errors import PlatformError
from app.runs.checkpoints import remove_leftovers
from app.runs.directory import RunDirectory, is_run
from app.runs.lock import run_lock
from app.services import checkpoints, uploads
from app.services.idempotency import KEPT as KEYS_KEPT
from app.services.platform import Platform
from app.services.sweeper import HOLDER
from app.services.uploads import SWEEPER

logger = logging.getLogger(__name__)

SIGN_INS_KEPT = timedelta(days=7)
PREDICTIONS_KEPT = timedelta(days=30)
WORK_KEPT = timedelta(days=1)
ORPHANS_KEPT = timedelta(hours=1)
STORE_PATIENCE_SECONDS = 10.0
"""Large files are stored for longer; the other duties do not wait for that."""
SETTLED = timedelta(minutes=5)
"""Nothing is removed from a run that ended less long ago: whoever watched it may be reading."""
_LONGEST = timedelta(hours=1)
_TASK_ID = re.compile(r"(?:work-)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


@dataclass(frozen=True)
class Duty:
    """`do` is told when the duty was last done, and says how many things it removed."""

    every: timedelta
    do: Callable[[Platform, datetime | None], int]


def clean_up(platform: Platform) -> dict[str, int]:
    """Do the duties that are due; by name how many things each removed."""
    removed = {}
    for name, duty in DUTIES.items():
        try:
            count = _do(platform, name, duty)
        except (PlatformError, OSError) as error:
            logger.warning("%s: %s", name, error)
            continue
        if count is not None:
            removed[name] = count
            if count:
                logger.info("%s: %d removed", name, count)
    return removed


def _do(platform: Platform, name: str, duty: Duty) -> int | None:
    database = platform.installation.database
    with database.read() as session:
        last = leases.last_done(session, name)
        if last is not None and utc_now() - last < duty.every:
            return None
    with database.write() as session:
        if not leases.take(session, name, HOLDER, _LONGEST, every=duty.every):
            return None
    count = duty.do(platform, last)
    with database.write() as session:
        leases.done(session, name, HOLDER)
    return count


def prune_checkpoints(platform: Platform, last: datetime | None) -> int:
    """Apply each ended run's own `checkpoints.keep`, and remove what a killed process was still writing."""
    installation = platform.installation
    since = last - SETTLED - _LONGEST if last is not None else None
    with installation.database.read() as session:
        ended = retention.runs_ended(session, since=since, before=utc_now() - SETTLED)
    removed = 0
    for name in ended:
        run = RunDirectory(installation.results_dir / name)
        if not is_run(run.path):
            continue
        try:
            going = checkpoints.plan_pruning(run)
            if going:
                details = {"steps": [one["step"] for one in going], "bytes": sum(one["size_bytes"] for one in going)}
                with platform.audit.recorded(SWEEPER, "checkpoint.prune", f"experiment:{run.name}", details):
                    checkpoints.prune(run, database=installation.database)
            with run_lock(run):
                remove_leftovers(run.checkpoints)
            removed += len(going)
        except PlatformError as error:
            logger.warning("the checkpoints of %s stay: %s", name, error.message)
    return removed


def forget_sign_ins(platform: Platform, _last: datetime | None) -> int:
    """Drop sign-ins that expired or were revoked some days ago."""
    with platform.installation.database.write() as session:
        return login_sessions.forget_ended(session, utc_now() - SIGN_INS_KEPT)


def forget_keys(platform: Platform, _last: datetime | None) -> int:
    """Drop answers kept for repeated requests."""
    with platform.installation.database.write() as session:
        return idempotency.forget_before(session, utc_now() - KEYS_KEPT)


def remove_orphaned_uploads(platform: Platform, _last: datetime | None) -> int:
    """Remove files that were sent and that nobody will come back for."""
    return uploads.remove_orphans(platform, ORPHANS_KEPT)


def remove_work(platform: Platform, _last: datetime | None) -> int:
    """Remove the directories of ended work: predictions after a month, the rest after a day."""
    results_dir = platform.installation.results_dir
    ages = {"predictions": ("prediction.expire", PREDICTIONS_KEPT), "cache": ("work.expire", WORK_KEPT)}
    removed = 0
    for folder, (action, kept) in ages.items():
        for path in (results_dir / folder).glob("*"):
            named = _TASK_ID.fullmatch(path.name)
            if named is None or not _older_than(path, WORK_KEPT):
                continue
            with platform.installation.database.read() as session:
                if retention.keeps_files(session, named[1], utc_now() - kept):
                    continue
            with platform.audit.recorded(SWEEPER, action, f"task:{named[1]}"):
                with platform.installation.database.write(alone=False) as session:
                    stored_work.put(session, named[1], None, 0)
                shutil.rmtree(path)
            removed += 1
    return removed


def remove_set_aside(platform: Platform, _last: datetime | None) -> int:
    """Remove what a deletion or an import that was cut short has left beside the runs."""
    removed = 0
    for pattern in (".deleted-*", ".import-*"):
        for path in platform.installation.results_dir.glob(pattern):
            if _older_than(path, WORK_KEPT):
                with platform.audit.recorded(SWEEPER, "leftover.remove", f"directory:{path.name}"):
                    shutil.rmtree(path)
                removed += 1
    return removed


def free_data(platform: Platform, _last: datetime | None) -> int:
    """Free what no name and no run refers to, unless somebody writes to the store."""

    def recorded(found: Garbage) -> AbstractContextManager[None]:
        files = found.num_chunks + found.num_temporary
        details = {"versions": found.versions[:100], "files": files, "bytes": found.bytes}
        return platform.audit.recorded(SWEEPER, "dataset.free", "dataset:*", details)

    freed = garbage.collect(
        platform.installation.results_dir,
        grace_seconds=WORK_KEPT.total_seconds(),
        patience_seconds=STORE_PATIENCE_SECONDS,
        recorded=recorded,
    )
    return len(freed.versions) + freed.num_chunks + freed.num_temporary


def _older_than(path: Path, age: timedelta) -> bool:
    try:
        changed = path.stat().st_mtime
    except OSError:
        return False
    return utc_now() - datetime.fromtimestamp(changed, UTC) > age


_HOURLY, _DAILY = timedelta(hours=1), timedelta(days=1)
DUTIES = {
    "checkpoints": Duty(_HOURLY, prune_checkpoints),
    "sign-ins": Duty(_HOURLY, forget_sign_ins),
    "idempotency-keys": Duty(_HOURLY, forget_keys),
    "uploads": Duty(_HOURLY, remove_orphaned_uploads),
    "work": Duty(_HOURLY, remove_work),
    "set-aside": Duty(_DAILY, remove_set_aside),
    "data": Duty(_DAILY, free_data),
}

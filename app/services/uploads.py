"""Files on their way in: a directory and a row for each upload, from its first byte until a version is made of it.

What is made of an upload is `data_set_intake`'s to say. Whatever goes wrong, `discard` leaves nothing behind, and what
a process that died has left is removed by `remove_orphans`.
"""

import errno
import hashlib
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.data import catalogue
from app.db.repositories import datasets, uploads
from app.db.session import Session
from app.db.tables import TaskRow, UploadRow
from app.db.tables.base import utc_now
from app.domain.errors import StorageError, TooLarge, TooManyRequests
from app.domain.principal import Caller
from app.domain.task import TaskKind
from app.domain.wording import say
from app.services import disk_room, file_names, storage_quota
from app.services.platform import Platform
from app.settings import Settings

RESERVED_AT_ONCE_BYTES = 16 * 2**20
"""Room that is asked for in advance where nobody said how much will come."""
MAX_RECEIVED_AT_ONCE = 10
"""Uploads of one account that are on their way."""
LOOKED_EVERY_BYTES = 16 * 2**20
"""After so many bytes of an upload it is looked again whether the disk has room: others write to it too."""
SWEEPER = Caller(local_user="sweeper")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class UploadedFile:
    """One whole file: `name` in the upload's directory, `shown` to people; `shown_as` maps the one to the other."""

    name: str
    shown: str
    size_bytes: int
    sha256: str
    shown_as: dict[str, str]


@dataclass
class Upload:
    """What one request sends: `files` by the form's field; `reserved_bytes` count towards the owner's limit."""

    id: str
    owner: str
    directory: Path
    reserved_bytes: int
    received_bytes: int = 0
    looked_until_bytes: int = 0
    files: dict[str, UploadedFile] = field(default_factory=dict)
    is_handed_over: bool = False
    """A task will read it, and remove it."""

    @property
    def shown_as(self) -> dict[str, str]:
        """What people call the files, by what they are called here."""
        return {ours: theirs for file in self.files.values() for ours, theirs in file.shown_as.items()}


def directory_of(settings: Settings, upload_id: str) -> Path:
    """Where the files of an upload lie."""
    return settings.uploads_dir / upload_id


def upload_of(task: TaskRow) -> str | None:
    """The upload a task reads, if it reads one."""
    upload_id = (task.payload or {}).get("upload")
    return str(upload_id) if upload_id else None


def removed_with(task: TaskRow) -> str | None:
    """The upload that goes with a task that is cancelled: one that was to be checked or stored, and never will be."""
    return upload_of(task) if task.kind == TaskKind.DATASET else None


def begin(platform: Platform, owner: str, announced_bytes: int | None) -> Upload:
    """Make room for what is announced, or for a first piece.

    TooLarge above the limit of one upload, QuotaExceeded above what the owner may keep, TooManyRequests while too many
    of theirs are on their way, StorageError on a full disk.
    """
    settings = platform.settings
    limit = settings.max_upload_bytes
    if announced_bytes is not None and announced_bytes > limit:
        raise _too_large(limit)
    wanted = min(RESERVED_AT_ONCE_BYTES, limit) if announced_bytes is None else announced_bytes
    with _room():
        settings.uploads_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        disk_room.check(settings.uploads_dir, wanted)
    upload_id = str(uuid.uuid4())
    with platform.installation.database.write() as session:
        if uploads.count_receiving(session, owner) >= MAX_RECEIVED_AT_ONCE:
            raise TooManyRequests(
                say(
                    "{max_received_at_once} uploads of {owner} are on their way",
                    max_received_at_once=MAX_RECEIVED_AT_ONCE,
                    owner=owner,
                ),
                retry_after_seconds=storage_quota.RETRY_AFTER_UPLOAD_SECONDS,
                hint="wait until some of them are done",
            )
        storage_quota.check(session, settings, owner, wanted)
        uploads.add(session, upload_id=upload_id, owner=owner, size_bytes=wanted)
    upload = Upload(upload_id, owner, directory_of(settings, upload_id), wanted)
    try:
        with _room():
            upload.directory.mkdir(mode=0o700)
    except BaseException:
        discard(platform, upload.id)
        raise
    return upload


class Incoming:
    """One file while it arrives. Blocking: call it from a thread."""

    def __init__(self, platform: Platform, upload: Upload, form_field: str, given_name: str) -> None:
        self._platform, self._upload, self._field = platform, upload, form_field
        self._shown = file_names.safe_name(given_name)
        self._name, self._shown_as = file_names.name_here(self._shown)
        self._digest, self._size = hashlib.sha256(), 0
        with _room():
            self._file = (upload.directory / self._name).open("xb")

    def write(self, piece: bytes) -> None:
        """Keep some more bytes; TooLarge, QuotaExceeded or StorageError where they do not fit."""
        limit = self._platform.settings.max_upload_bytes
        self._size += len(piece)
        self._upload.received_bytes += len(piece)
        if self._upload.received_bytes > limit:
            raise _too_large(limit)
        if self._upload.received_bytes > self._upload.reserved_bytes:
            _reserve_more(self._platform, self._upload)
        self._digest.update(piece)
        with _room():
            if self._upload.received_bytes > self._upload.looked_until_bytes:
                disk_room.check(self._upload.directory, LOOKED_EVERY_BYTES)
                self._upload.looked_until_bytes = self._upload.received_bytes + LOOKED_EVERY_BYTES
            self._file.write(piece)

    def close(self) -> None:
        """The file is whole."""
        with _room():
            self._file.close()
        self._upload.files[self._field] = UploadedFile(
            self._name, self._shown, self._size, self._digest.hexdigest(), self._shown_as
        )

    def abandon(self) -> None:
        """It will not be; its bytes go with the upload."""
        with _room():
            self._file.close()


def _reserve_more(platform: Platform, upload: Upload) -> None:
    missing = upload.received_bytes - upload.reserved_bytes
    more = max(missing, RESERVED_AT_ONCE_BYTES)
    with platform.installation.database.write() as session:
        storage_quota.check(session, platform.settings, upload.owner, more)
        uploads.change(session, upload.id, size_bytes=upload.reserved_bytes + more)
    upload.reserved_bytes += more


@contextmanager
def _room() -> Iterator[None]:
    """A full disk as the StorageError that says so, without names of this server."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise disk_room.full() from error
        raise StorageError(
            say("the server cannot keep what is sent: {strerror}", strerror=error.strerror),
            hint="its log and its administrator know more",
        ) from error


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        say("at most {limit:,} bytes are taken in one upload", limit=limit),
        hint="pack the file (zip, gz), or send it in several parts",
    )


def discard(platform: Platform, upload_id: str) -> None:
    """Remove an upload's files and its row, and the name it was to become a version of, where that has none."""
    remove_files(platform.settings, upload_id)
    with platform.installation.database.write() as session:
        forget(session, platform.settings, upload_id)


def remove_files(settings: Settings, upload_id: str) -> None:
    """Remove an upload's files, once its row is forgotten; those that cannot be go with the next `remove_orphans`."""
    shutil.rmtree(directory_of(settings, upload_id), ignore_errors=True)


def is_here(session: Session, settings: Settings, upload_id: str) -> bool:
    """Whether an upload's files can still be read."""
    return uploads.get(session, upload_id) is not None and directory_of(settings, upload_id).is_dir()


def forget(session: Session, settings: Settings, upload_id: str) -> None:
    """Remove an upload's row in the caller's transaction, and let go of a data set's name without versions."""
    row = uploads.get(session, upload_id)
    if row is None:
        return
    name = row.dataset
    uploads.remove(session, upload_id)
    if name is None or uploads.any_for(session, name):
        return
    owned = datasets.get_locked(session, name)
    if owned is not None and not catalogue.entries(settings.results_dir, name):
        datasets.delete(session, owned)


def remove_orphans(platform: Platform, older_than: timedelta) -> int:
    """Remove uploads that nobody will come back for and nothing was written to for so long; how many.

    `older_than` must be longer than anything takes that reads an upload without writing to it: say an hour. What an
    unfinished task will read stays.
    """
    moment = utc_now() - older_than
    with platform.installation.database.read() as session:
        begun = uploads.begun_before(session, moment)
        awaited = uploads.awaited(session)
        known = uploads.all_ids(session)
    removed = 0
    for row in begun:
        if row.id not in awaited and _untouched_since(directory_of(platform.settings, row.id), moment):
            removed += _expire(platform, row)
    strays = platform.settings.uploads_dir.glob("*") if platform.settings.uploads_dir.is_dir() else ()
    for path in strays:
        if path.name not in known and _untouched_since(path, moment):
            with platform.audit.recorded(SWEEPER, "upload.expire", f"upload:{path.name}"), _room():
                shutil.rmtree(path)
            removed += 1
    return removed


def _expire(platform: Platform, row: UploadRow) -> int:
    """Forget an upload, then remove its files; 0 where a task reads it again meanwhile."""
    with platform.installation.database.write() as session:
        if row.id in uploads.awaited(session):
            return 0
        forget(session, platform.settings, row.id)
        details = {"owner": row.owner, "reserved_bytes": row.size_bytes, "dataset": row.dataset}
        platform.audit.append(session, SWEEPER, "upload.expire", f"upload:{row.id}", "success", details)
    remove_files(platform.settings, row.id)
    return 1


def _untouched_since(directory: Path, moment: datetime) -> bool:
    """Whether nothing in a directory was written since; true where there is none."""
    newest = 0.0
    for path in (directory, *directory.rglob("*")):
        try:
            newest = max(newest, path.lstat().st_mtime)
        except OSError:
            continue
    return datetime.fromtimestamp(newest, UTC) < moment

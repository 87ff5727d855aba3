"""Files on their way: sent as a stream while somebody watches, fetched into a file that is whole or not there."""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx

from app.client import faults
from app.client.endpoint import Call
from app.domain.errors import Conflict, InvalidInput, StorageError
from app.domain.wording import say

Progress = Callable[[int, int | None], None]
"""Hears of the bytes done, and of all there are where that is known."""

UPLOAD_TIMEOUT = httpx.Timeout(connect=5.0, read=600.0, write=60.0, pool=10.0)
"""After the last byte the server checks the rows before it answers."""
DOWNLOAD_ATTEMPTS = 4


def silent(_done: int, _total: int | None) -> None:
    """For whoever does not watch."""


class _Watched:
    """A file that tells how much of it was read; httpx reads it in pieces, and from the start for each attempt."""

    def __init__(self, file: IO[bytes], size: int, progress: Progress) -> None:
        self._file, self._size, self._progress = file, size, progress

    def read(self, count: int = -1) -> bytes:
        piece = self._file.read(count)
        self._progress(self._file.tell(), self._size)
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def fileno(self) -> int:
        return self._file.fileno()


@contextmanager
def form_with_files(
    fields: Mapping[str, Any], files: Mapping[str, Path], progress: Progress = silent
) -> Iterator[Callable[[], Mapping[str, Any]]]:
    """A multipart body for `Call.with_(body=...)` that streams its files; fields that are None are left out.

    `progress` hears of each file in turn.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    opened: dict[str, IO[bytes]] = {}
    try:
        for name, path in files.items():
            opened[name] = _open(path)
        sizes = {name: os.fstat(file.fileno()).st_size for name, file in opened.items()}
        yield lambda: {
            "data": given,
            "files": {
                name: (files[name].name, _Watched(file, sizes[name], progress), "application/octet-stream")
                for name, file in opened.items()
            },
        }
    finally:
        for file in opened.values():
            file.close()


def _open(path: Path) -> IO[bytes]:
    if path.is_dir():
        raise InvalidInput(say("{path} is a folder", path=path), hint="pack it first: zip -r data.zip FOLDER")
    try:
        return path.open("rb")
    except OSError as error:
        raise InvalidInput(
            say("cannot read {path}: {strerror}", path=path, strerror=error.strerror),
            hint="name a file that can be read",
        ) from error


def download(call: Call, target: Path, *, sha256: str | None = None, progress: Progress = silent) -> Path:
    """Fetch into a new file; it appears under its name only once it is whole and its hash is the one expected.

    A connection that breaks is taken up again where it broke, as far as the server knows how. `sha256` is what the file
    must have; without it what the server announces counts. Conflict where the target exists.
    """
    _refuse_existing(target)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    with _storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:
                _Download(call, file, progress, sha256).run(str(target))
                file.flush()
                os.fsync(file.fileno())
            _refuse_existing(target)
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
    return target


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise Conflict(say("{target} exists already", target=target), hint="choose another name")


class _Download:
    """One file being fetched: what is there of it, and the hash so far."""

    def __init__(self, call: Call, file: IO[bytes], progress: Progress, sha256: str | None) -> None:
        self._call, self._file, self._progress, self._expected = call, file, progress, sha256
        self._done, self._hash, self._etag = 0, hashlib.sha256(), ""

    def run(self, name: str) -> None:
        """Fetch all of it, in as many pieces as the connection makes of it."""
        for attempt in range(1, DOWNLOAD_ATTEMPTS + 1):
            try:
                self._fetch()
                break
            except httpx.TransportError as error:
                connection = self._call.connection
                if attempt == DOWNLOAD_ATTEMPTS:
                    raise faults.unreachable(connection.server, error) from error
                connection.wait(connection.retrying.pause(attempt))
        if self._expected is not None and self._hash.hexdigest() != self._expected:
            raise StorageError(
                say("{name} was damaged on its way: its sha256 is not the one announced", name=name),
                hint="fetch it again",
                code="download.damaged",
            )

    def _fetch(self) -> None:
        headers = {"Accept-Encoding": "identity"}
        if self._done and self._etag:
            headers |= {"Range": f"bytes={self._done}-", "If-Range": self._etag}
        call = self._call.with_(headers=headers)
        with call.connection.stream(call.asked) as response:
            if response.status_code != 206:
                self._start_over()
            self._etag = response.headers.get("etag", "")
            self._expected = self._expected or response.headers.get("x-content-sha256")
            total = _total(response, self._done)
            for piece in response.iter_raw():
                self._file.write(piece)
                self._hash.update(piece)
                self._done += len(piece)
                self._progress(self._done, total)

    def _start_over(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._done, self._hash = 0, hashlib.sha256()


def _total(response: httpx.Response, done: int) -> int | None:
    length = response.headers.get("content-length", "")
    return done + int(length) if length.isascii() and length.isdecimal() else None


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            say("cannot write {path}: {strerror}", path=path, strerror=error.strerror or error),
            hint="free some room, or choose another place",
        ) from error

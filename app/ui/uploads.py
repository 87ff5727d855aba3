"""Large files on their way from a browser: to the disk as they arrive, where Streamlit would hold them in memory.

Streamlit hears of an empty file of the same name, checks as ever whether it may be sent, and `keep` finds what came.
Small files go its own way.
"""

import logging
import re
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.wording import say
from app.ui.gate import LANGUAGE_COOKIE
from app.ui.words import N_, Words, language_of

logger = logging.getLogger(__name__)

IN_MEMORY_BYTES = 8 * 2**20
"""Files up to this size are left to Streamlit."""
ENVELOPE_BYTES = 2**20
"""A form is a little larger than the file in it."""
KEPT_FREE_BYTES = 512 * 2**20
"""Of the disk: the platform has to go on."""
SECONDS_KEPT = 3600.0
"""Whoever needs it longer has it in a file of their own by then."""
_PIECE = 1 << 20
PLACE = re.compile(r"/_stcore/upload_file/[^/]+/(?P<file>[^/]+)")
_installed: list["Uploads"] = []


class Picked(Protocol):
    """A file as Streamlit's uploader gives it."""

    name: str
    file_id: str

    def getbuffer(self) -> memoryview:
        """Its bytes; none where they went to the disk."""


def keep(picked: Picked, target: Path) -> None:
    """Have what was picked in a file of one's own, as often as one likes; on the same disk a large one is no copy."""
    came = _installed[0].path_of(getattr(picked, "file_id", "")) if _installed else None
    if came is None:
        target.write_bytes(picked.getbuffer())
        return
    try:
        target.hardlink_to(came)
    except OSError:
        shutil.copyfile(came, target)


def let_go(picked: Picked) -> None:
    """It is kept elsewhere by now, or not needed any more."""
    if _installed:
        _installed[0].forget(getattr(picked, "file_id", ""))


def folder() -> Path | None:
    """Where files of visitors lie, on the installation's own disk; None where nothing is installed."""
    return _installed[0].folder if _installed else None


def max_bytes() -> int | None:
    """How large a file may be; None where nothing is installed."""
    return _installed[0].max_bytes if _installed else None


class TooMuch(Exception):
    """More than is taken; the sentence is for whoever sent it."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


@dataclass
class _Kept:
    path: Path
    since: float


class Uploads:
    """Middleware that takes large files out of requests; `folder` is for files alone that nobody needs after a day."""

    def __init__(self, app: ASGIApp, folder: Path, max_bytes: int) -> None:
        self._app, self.folder, self.max_bytes = app, folder, max_bytes
        self._kept: dict[str, _Kept] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_older(folder, 24 * 3600.0)
        _installed[:] = [self]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the file out of an upload that is too large to be held; pass everything else on."""
        found = PLACE.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
        elif scope["method"] == "DELETE":
            self.forget(found["file"])
            await self._app(scope, receive, send)
        elif scope["method"] == "PUT" and not 0 <= _announced(scope) <= min(IN_MEMORY_BYTES, self.max_bytes):
            await self._take(found["file"], scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def path_of(self, file_id: str) -> Path | None:
        """Where a large file lies; None for one that Streamlit has."""
        kept = self._kept.get(file_id)
        return kept.path if kept is not None else None

    def forget(self, file_id: str) -> None:
        """Remove a large file; nothing where it is not here."""
        kept = self._kept.pop(file_id, None)
        if kept is not None:
            kept.path.unlink(missing_ok=True)

    async def _take(self, file_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        self._forget_old()
        path, is_kept = self.folder / f"upload-{secrets.token_hex(16)}", False

        async def hear(message: Message) -> None:
            nonlocal is_kept
            if message["type"] == "http.response.start" and message["status"] == 204:
                is_kept = True
                self._kept[file_id] = _Kept(path, time.monotonic())
            await send(message)

        try:
            _check_size(_announced(scope), self.max_bytes, self.folder)
            with await run_in_threadpool(path.open, "xb") as file:
                came = await _receive_file(scope, receive, file, self.max_bytes, self.folder)
            await self._app(*_emptied(scope, came), hear)
        except TooMuch as refused:
            await PlainTextResponse(words_of(scope).told(refused.sentence), refused.status)(scope, receive, send)
        except (FormParserError, OSError) as error:
            logger.warning("an upload could not be taken: %s", error)
            sentence = words_of(scope)(N_("the file could not be taken; send it again"))
            await PlainTextResponse(sentence, 400)(scope, receive, send)
        finally:
            if not is_kept:
                path.unlink(missing_ok=True)

    def _forget_old(self) -> None:
        before = time.monotonic() - SECONDS_KEPT
        for file_id in [one for one, kept in self._kept.items() if kept.since < before]:
            self.forget(file_id)


class _File:
    """The first file of a form, written while it arrives: python-multipart says what belongs to it."""

    def __init__(self, content_type: bytes, file: IO[bytes]) -> None:
        self._file, self._name, self._value = file, b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._is_file = False
        self.disposition = b""
        self.size = 0
        self.is_complete = False
        options = parse_options_header(content_type)[1]
        if b"boundary" not in options:
            raise FormParserError("the body is no form")
        self.parser = MultipartParser(
            options[b"boundary"],
            {
                "on_header_field": self._add_name,
                "on_header_value": self._add_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._begin,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._complete,
            },
        )

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _begin(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"")
        self._is_file = not self.disposition and b"filename" in parse_options_header(disposition)[1]
        if self._is_file:
            self.disposition = disposition
        self._headers = {}

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._file.write(data[start:end])
            self.size += end - start

    def _end(self) -> None:
        self._is_file = False

    def _complete(self) -> None:
        self.is_complete = True


async def _receive_file(scope: Scope, receive: Receive, file: IO[bytes], max_bytes: int, folder: Path) -> _File:
    """Write the file of a form; TooMuch where it grows beyond what is taken, FormParserError where it is not whole."""
    came = _File(_header(scope, b"content-type"), file)
    held, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise FormParserError("whoever sent it went away")
        held += message.get("body", b"")
        more = message.get("more_body", False)
        if len(held) >= _PIECE or not more:
            await run_in_threadpool(came.parser.write, bytes(held))
            held.clear()
            _check_size(came.size, max_bytes, folder)
    if not came.is_complete or not came.disposition:
        raise FormParserError("the form ends before its last boundary")
    return came


def _emptied(scope: Scope, came: _File) -> tuple[Scope, Receive]:
    """The same request with an empty file of the same name."""
    boundary = secrets.token_hex(16).encode()
    body = b"--%b\r\nContent-Disposition: %b\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--%b--\r\n" % (
        boundary,
        came.disposition,
        boundary,
    )
    replaced = {b"content-type", b"content-length", b"transfer-encoding"}
    headers = [(name, value) for name, value in scope["headers"] if name.lower() not in replaced]
    headers += [(b"content-type", b"multipart/form-data; boundary=" + boundary)]
    headers += [(b"content-length", str(len(body)).encode())]

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return {**scope, "headers": headers}, receive


def _check_size(num_bytes: int, max_bytes: int, folder: Path) -> None:
    if num_bytes > max_bytes + ENVELOPE_BYTES:
        sentence = N_("a file has at most {count:,} bytes; pack it (zip, gz), or send it in several parts")
        raise TooMuch(413, say(sentence, count=max_bytes))
    if shutil.disk_usage(folder).free < KEPT_FREE_BYTES:
        raise TooMuch(507, N_("the disk of the server is full; ask an administrator to free some space"))


def words_of(scope: Scope) -> Words:
    """The language of whoever sends a request."""
    asked = HTTPConnection(scope)
    return Words(language_of(asked.cookies.get(LANGUAGE_COOKIE), asked.headers.get("accept-language", "")))


def _announced(scope: Scope) -> int:
    """The length of the body; -1 where nobody says."""
    length = _header(scope, b"content-length")
    return int(length) if length.isdigit() else -1


def _header(scope: Scope, wanted: bytes) -> bytes:
    found: bytes = next((value for name, value in scope["headers"] if name.lower() == wanted), b"")
    return found


def _remove_older(folder: Path, seconds: float) -> None:
    """What a process left here that had no time to clean up."""
    for path in folder.iterdir():
        if time.time() - path.stat().st_mtime > seconds:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

"""`multipart/form-data` as it arrives: small fields are held, files are given on piece by piece, all of it bounded.

The parser is python-multipart's; what a form may have, and where its files go, is said by whoever uses `read_form`.
Nothing is kept in temporary files on the way.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from app.domain.errors import InvalidInput

MAX_FIELDS = 300
MAX_FIELD_BYTES = 64 * 1024
"""Of all fields together that are no files."""
MAX_NAME_CHARACTERS = 100
_PIECE = 1 << 20

Fields = dict[str, list[str]]


class Sink(Protocol):
    """Where a file goes. All of it blocks, and is called from threads."""

    def write(self, piece: bytes) -> None:
        """Take some more of it."""

    def close(self) -> None:
        """It is whole."""

    def abandon(self) -> None:
        """It will not be whole."""


OpenFile = Callable[[str, str, Fields], Sink]
"""Begin to take a file: the field's name, the name the client calls the file by, the fields that came before it."""


@dataclass
class _Part:
    """One part while it arrives; `filename` is None for a field that is no file."""

    header: bytes = b""
    value: bytes = b""
    disposition: bytes = b""
    name: str = ""
    filename: str | None = None
    content: bytearray = field(default_factory=bytearray)


class _Parser:
    """Turns bytes into steps: (`begin`, part), (`data`, bytes of the file), (`end`, part)."""

    def __init__(self, content_type: str, file_fields: tuple[str, ...]) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise InvalidInput(
                "the body is no form with files", hint="send it as multipart/form-data", code="upload.malformed"
            )
        self._file_fields = file_fields
        self._part, self._num_fields, self._num_bytes = _Part(), 0, 0
        self._seen: set[str] = set()
        self.steps: list[tuple[str, Any]] = []
        self.is_complete = False
        # One form has three files, some fields and few headers: python-multipart's own bounds on headers do.
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._begin,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_end": self._complete,
            },
        )

    def feed(self, piece: bytes) -> list[tuple[str, Any]]:
        """The steps that `piece` makes."""
        self.steps = []
        self._parser.write(piece)
        return self.steps

    def _begin(self) -> None:
        self._part = _Part()
        self._num_fields += 1
        if self._num_fields > MAX_FIELDS:
            raise _malformed(f"the form has more than {MAX_FIELDS} fields")

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._part.header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.value += data[start:end]

    def _header_end(self) -> None:
        if self._part.header.lower() == b"content-disposition":
            self._part.disposition = self._part.value
        self._part.header = self._part.value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._part.disposition)
        part = self._part
        part.name = _text(options.get(b"name", b""), "a field's name")
        if not part.name or len(part.name) > MAX_NAME_CHARACTERS:
            raise _malformed(f"a part of the form has no name of 1 to {MAX_NAME_CHARACTERS} characters")
        if part.name in self._file_fields:
            if part.name in self._seen:
                raise _malformed(f"the form has the file {part.name!r} twice")
            self._seen.add(part.name)
            part.filename = options.get(b"filename", b"").decode("utf-8", "replace")
            self.steps.append(("begin", part))
        elif b"filename" in options:
            raise _malformed(f"{part.name!r} is no file of this form; its files are {', '.join(self._file_fields)}")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part.filename is not None:
            self.steps.append(("data", data[start:end]))
            return
        self._num_bytes += end - start
        if self._num_bytes > MAX_FIELD_BYTES:
            raise _malformed(f"the fields of the form are longer than {MAX_FIELD_BYTES} bytes")
        self._part.content += data[start:end]

    def _end(self) -> None:
        self.steps.append(("end", self._part))

    def _complete(self) -> None:
        self.is_complete = True


async def read_form(
    content_type: str, stream: AsyncIterator[bytes], file_fields: tuple[str, ...], open_file: OpenFile
) -> Fields:
    """Give the files of a form to sinks and return its other fields, each with all its values.

    InvalidInput for what is no whole form, or has more than is taken; what a sink raises is passed on. A file that is
    not whole by then is abandoned.
    """
    parser = _Parser(content_type, file_fields)
    fields: Fields = {}
    taking = _Taking(open_file)
    try:
        async for piece in stream:
            for step, what in parser.feed(piece):
                if step == "begin":
                    await taking.begin(what, fields)
                elif step == "data":
                    await taking.data(what)
                elif what.filename is not None:
                    await taking.end()
                else:
                    text = _text(bytes(what.content), f"the field {what.name!r}")
                    fields.setdefault(what.name, []).append(text)
    except FormParserError as error:
        raise _malformed(f"the form cannot be read: {error}") from error
    finally:
        await taking.abandon()
    if not parser.is_complete:
        raise _malformed("the form ends before its last boundary")
    return fields


class _Taking:
    """Gives a file on in pieces of a megabyte, from a thread: the disk may be slow."""

    def __init__(self, open_file: OpenFile) -> None:
        self._open_file, self._held = open_file, bytearray()
        self._sink: Sink | None = None

    async def begin(self, part: _Part, before: Fields) -> None:
        self._sink = await run_in_threadpool(self._open_file, part.name, part.filename or "", before)

    async def data(self, piece: bytes) -> None:
        self._held += piece
        if len(self._held) >= _PIECE:
            await self._flush()

    async def end(self) -> None:
        await self._flush()
        sink, self._sink = self._sink, None
        if sink is not None:
            await run_in_threadpool(sink.close)

    async def abandon(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            await run_in_threadpool(sink.abandon)

    async def _flush(self) -> None:
        piece, self._held = bytes(self._held), bytearray()
        if self._sink is not None and piece:
            await run_in_threadpool(self._sink.write, piece)


def _text(content: bytes, what: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(f"{what} is not UTF-8 text") from error


def _malformed(message: str) -> InvalidInput:
    return InvalidInput(message, hint="send it again, whole, as multipart/form-data", code="upload.malformed")

"""Packed files: gzip and zip, unpacked below a bound into a temporary directory that goes with its reader."""

import gzip
import lzma
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from app.data.class_files import is_hidden
from app.data.encoding import file_sha256
from app.data.records import Record, Source
from app.domain.errors import DataUnreadable, PlatformError, StorageError
from app.domain.wording import Said, say

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
MAX_UNPACKED_BYTES = 16 * 2**30
MAX_RATIO = 200
"""Text is packed to a fifth or a tenth; what unpacks to 200 times its size is there to fill a disk."""

MIN_SUSPECT_BYTES = 64 * 2**20
"""Below this any ratio is harmless."""

DAMAGED = (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, struct.error)
UNPACK_ERRORS = (*DAMAGED, OSError, NotImplementedError, ValueError)
"""Of damaged archives, of names that no file can have, and of unknown ways of packing."""

_DOCUMENTS = {
    "word/": (say("a Word document"), say("give a file with one row for each example")),
    "ppt/": (say("a PowerPoint document"), say("give a file with one row for each example")),
    "xl/workbook.bin": (say("a binary Excel workbook"), say("save it as .xlsx, or as CSV UTF-8")),
    "META-INF/manifest.xml": (say("an OpenDocument file"), say("save it as .xlsx, or as CSV UTF-8")),
}
MAX_MEMBERS = 200_000
_PIECE = 1 << 20


def is_archive(head: bytes) -> bool:
    """Whether a file that starts so is packed."""
    return head.startswith((GZIP_MAGIC, ZIP_MAGIC))


class Unpacked(NamedTuple):
    """The one file of an archive, or a folder with its files, below the temporary directory `root`."""

    inside: Path
    root: Path


def as_packed(opened: Source, path: Path, unpacked: Unpacked) -> Source:
    """The source with the hash of the archive, what was in it among the reasons, and errors that name both."""
    detected = opened.detected
    reason = say(
        "'{name}' in {archive}: {reason}" if unpacked.inside.is_file() else "class files in {archive}: {reason}",
        name=unpacked.inside.name,
        archive=path.name,
        reason=Said.of(detected.reasons.get("format", ""), detected.said.get("reasons.format")),
    )
    only = opened.only
    return replace(
        opened,
        sha256=file_sha256(path),
        detected=detected.because({"format": reason}),
        records=_named_records(opened.records, path, unpacked),
        only=only and (lambda wanted: _named_records(only(wanted), path, unpacked)),
    )


def _named_records(records: Iterator[Record], path: Path, unpacked: Unpacked) -> Iterator[Record]:
    with named(path, unpacked):
        yield from records


@contextmanager
def named(path: Path, unpacked: Unpacked) -> Iterator[None]:
    """Errors about what was unpacked name the archive and the file in it, not where that lay for a while."""
    root = str(unpacked.root)
    try:
        yield
    except PlatformError as error:
        if root in error.hint:
            error.hint += "; unpack it first"
        message, error.hint = (
            said.replace(f"{root}/", f"{path}: ").replace(root, str(path)) for said in (error.message, error.hint)
        )
        error.message, error.args = message, (message,)
        raise


def unpack(path: Path, closing: ExitStack) -> Unpacked:
    """The one file that `path` holds, or a directory where it holds several; gone when `closing` closes.

    DataUnreadable for an archive that is damaged, encrypted or nested, that would grow beyond the bounds, or whose
    names lead out of it.
    """
    root = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="finetune-")))
    try:
        with path.open("rb") as file:
            is_gzip = file.read(2) == GZIP_MAGIC
        return Unpacked(_gunzip(path, root) if is_gzip else _unzip(path, root), root)
    except DAMAGED as error:
        raise _damaged(path, error) from error
    except UNPACK_ERRORS as error:
        raise DataUnreadable(
            say("{path} cannot be unpacked: {error}", path=path, error=error), hint="unpack it, and give what is in it"
        ) from error


def _damaged(path: Path, error: Exception) -> DataUnreadable:
    return DataUnreadable(say("{path} is a damaged archive: {error}", path=path, error=error), hint="copy it again")


def _gunzip(path: Path, target: Path) -> Path:
    name = path.stem if path.suffix.lower() == ".gz" else path.name
    if name.lower().endswith(".tar"):
        raise DataUnreadable(
            say("{path} is a tar archive", path=path), hint="unpack it first: tar xf FILE; then give the file or folder"
        )
    inside = target / name
    with gzip.open(path) as packed:
        _copy(packed, inside, path, 0)
    _refuse_nested(inside, path)
    return inside


def _unzip(path: Path, target: Path) -> Path:
    with zipfile.ZipFile(path) as archive:
        members = list(_data_members(archive, path))
        if not members:
            raise DataUnreadable(say("{path} has no file in it", path=path), hint="pack the data file and try again")
        unpacked = 0
        for member in members:
            inside = target.joinpath(*PurePosixPath(member.filename).parts)
            inside.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as packed:
                unpacked = _copy(packed, inside, path, unpacked)
            _refuse_nested(inside, path)
    if len(members) == 1:
        return target.joinpath(*PurePosixPath(members[0].filename).parts)
    return _innermost(target)


def _data_members(archive: zipfile.ZipFile, path: Path) -> Iterator[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise DataUnreadable(
            say("{path} has {members:,} files", path=path, members=len(members)),
            hint=say("give at most {max_members:,}", max_members=MAX_MEMBERS),
        )
    for start, (what, hint) in _DOCUMENTS.items():
        if any(member.filename.startswith(start) for member in members[:100]):
            raise DataUnreadable(say("{path} is {what}", path=path, what=what), hint=hint)
    for member in members:
        name = PurePosixPath(member.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or (name.parts and name.parts[0].endswith(":")):
            raise DataUnreadable(
                say("{path} has a name that leads out of it: {filename!r}", path=path, filename=member.filename),
                hint="do not trust this archive; pack the files again with names of their own",
            )
        if member.flag_bits & 1:
            raise DataUnreadable(say("{path} is encrypted", path=path), hint="unpack it first, and give the file in it")
        is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
        if not member.is_dir() and not is_link and not is_hidden(Path(*name.parts)):
            yield member


def _copy(packed: IO[bytes] | gzip.GzipFile, inside: Path, path: Path, unpacked: int) -> int:
    """Unpack one file; returns `unpacked` and its bytes. What headers claim is not believed: the bytes are counted."""
    bound = min(MAX_UNPACKED_BYTES, max(MIN_SUSPECT_BYTES, MAX_RATIO * path.stat().st_size))
    try:
        with inside.open("xb") as file:
            while piece := _piece(packed, path):
                unpacked += len(piece)
                if unpacked > bound:
                    raise DataUnreadable(
                        say(
                            "{path} unpacks to more than {bound:,.0f} MiB, {st_size:,} bytes packed",
                            path=path,
                            bound=bound / 2**20,
                            st_size=path.stat().st_size,
                        ),
                        hint="such archives are made to fill disks; if this one is sound, unpack it and give the file",
                    )
                file.write(piece)
    except FileExistsError as error:
        raise DataUnreadable(
            say("{path} holds '{name}' twice", path=path, name=inside.name), hint="pack each file once"
        ) from error
    except OSError as error:
        raise StorageError(
            say("cannot unpack {path}: {strerror}", path=path, strerror=error.strerror or error),
            hint="free space where temporary files go (TMPDIR)",
        ) from error
    return unpacked


def _piece(packed: IO[bytes] | gzip.GzipFile, path: Path) -> bytes:
    try:
        return packed.read(_PIECE)
    except OSError as error:  # bzip2 says so of damaged bytes, and any disk of its own
        raise _damaged(path, error) from error


def _refuse_nested(inside: Path, path: Path) -> None:
    with inside.open("rb") as file:
        if is_archive(file.read(4)):
            raise DataUnreadable(
                say("{path} has an archive in it: '{name}'", path=path, name=inside.name),
                hint="unpack it, and give what is in it",
            )


def _innermost(folder: Path) -> Path:
    """The folder that has more than one entry, below folders that have one alone."""
    while len(entries := list(folder.iterdir())) == 1 and entries[0].is_dir():
        folder = entries[0]
    return folder

"""Packed files: gzip and zip, unpacked below a bound into a temporary directory that goes with its reader."""

import gzip
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO

from app.data.class_files import is_hidden
from app.data.encoding import file_sha256
from app.data.records import Source
from app.domain.errors import DataUnreadable, StorageError

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
MAX_UNPACKED_BYTES = 16 * 2**30
MAX_RATIO = 200
"""Text is packed to a fifth or a tenth; what unpacks to 200 times its size is there to fill a disk."""

MIN_SUSPECT_BYTES = 64 * 2**20
"""Below this any ratio is harmless."""

MAX_MEMBERS = 200_000
_PIECE = 1 << 20


def is_archive(head: bytes) -> bool:
    """Whether a file that starts so is packed."""
    return head.startswith((GZIP_MAGIC, ZIP_MAGIC))


def as_packed(opened: Source, path: Path, inside: Path) -> Source:
    """The source with the hash of the archive, and what was in it among the reasons."""
    reasons = dict(opened.detected.reasons)
    what = f"'{inside.name}'" if inside.is_file() else "class files"
    reasons["format"] = f"{what} in {path.name}: {reasons.get('format', '')}"
    return replace(opened, sha256=file_sha256(path), detected=opened.detected.model_copy(update={"reasons": reasons}))


def unpack(path: Path, closing: ExitStack) -> Path:
    """The one file that `path` holds, or a directory where it holds several; gone when `closing` closes.

    DataUnreadable for an archive that is damaged, encrypted or nested, that would grow beyond the bounds, or whose
    names lead out of it.
    """
    target = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="finetune-")))
    try:
        with path.open("rb") as file:
            is_gzip = file.read(2) == GZIP_MAGIC
        return _gunzip(path, target) if is_gzip else _unzip(path, target)
    except (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise DataUnreadable(f"{path} is a damaged archive: {error}", hint="copy it again") from error
    except (OSError, NotImplementedError, ValueError) as error:  # names no file can have, unknown ways of packing
        raise DataUnreadable(f"{path} cannot be unpacked: {error}", hint="unpack it, and give what is in it") from error


def _gunzip(path: Path, target: Path) -> Path:
    name = path.stem if path.suffix.lower() == ".gz" else path.name
    if name.lower().endswith(".tar"):
        raise DataUnreadable(
            f"{path} is a tar archive", hint="unpack it first: tar xf FILE; then give the file or folder"
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
            raise DataUnreadable(f"{path} has no file in it", hint="pack the data file and try again")
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
        raise DataUnreadable(f"{path} has {len(members):,} files", hint=f"give at most {MAX_MEMBERS:,}")
    for member in members:
        name = PurePosixPath(member.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or (name.parts and name.parts[0].endswith(":")):
            raise DataUnreadable(
                f"{path} has a name that leads out of it: {member.filename!r}",
                hint="do not trust this archive; pack the files again with names of their own",
            )
        if member.flag_bits & 1:
            raise DataUnreadable(f"{path} is encrypted", hint="unpack it first, and give the file in it")
        is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
        if not member.is_dir() and not is_link and not is_hidden(Path(*name.parts)):
            yield member


def _copy(packed: IO[bytes] | gzip.GzipFile, inside: Path, path: Path, unpacked: int) -> int:
    """Unpack one file; returns `unpacked` and its bytes. What headers claim is not believed: the bytes are counted."""
    bound = min(MAX_UNPACKED_BYTES, max(MIN_SUSPECT_BYTES, MAX_RATIO * path.stat().st_size))
    try:
        with inside.open("xb") as file:
            while piece := packed.read(_PIECE):
                unpacked += len(piece)
                if unpacked > bound:
                    raise DataUnreadable(
                        f"{path} unpacks to more than {bound / 2**20:,.0f} MiB, {path.stat().st_size:,} bytes packed",
                        hint="such archives are made to fill disks; if this one is sound, unpack it and give the file",
                    )
                file.write(piece)
    except FileExistsError as error:
        raise DataUnreadable(f"{path} holds '{inside.name}' twice", hint="pack each file once") from error
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise
        raise StorageError(
            f"cannot unpack {path}: {error.strerror or error}", hint="free space where temporary files go (TMPDIR)"
        ) from error
    return unpacked


def _refuse_nested(inside: Path, path: Path) -> None:
    with inside.open("rb") as file:
        if is_archive(file.read(4)):
            raise DataUnreadable(
                f"{path} has an archive in it: '{inside.name}'", hint="unpack it, and give what is in it"
            )


def _innermost(folder: Path) -> Path:
    """The folder that has more than one entry, below folders that have one alone."""
    while len(entries := list(folder.iterdir())) == 1 and entries[0].is_dir():
        folder = entries[0]
    return folder

"""What finished runs left behind, for download: the receipt and the files it names, recorded in the audit log."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import Conflict, NotFound
from app.domain.manifest import Receipt
from app.domain.principal import Caller, Principal
from app.domain.wording import say
from app.runs.directory import RunDirectory
from app.runs.files import sha256_file
from app.runs.receipt import read_receipt
from app.schemas.experiments import Artifact, ArtifactList
from app.services.experiment_views import KIND, readable
from app.services.platform import Platform

REPORT = "evaluation/report.html"
FINAL_MODEL = "artifacts/final_model/"
PIECE_BYTES = 262_144
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip file can hold: the same run gives the same archive."""


@dataclass(frozen=True)
class Download:
    """A file that may be sent; `sha256` is what its content must have."""

    path: Path
    name: str
    sha256: str


def list_artifacts(platform: Platform, principal: Principal, name: str) -> ArtifactList:
    """The files of a finished run; Conflict `run.incomplete` before it has finished."""
    run, receipt = _finished(platform, principal, name)
    items = [
        Artifact(path=path, size_bytes=(run.path / path).stat().st_size, sha256=digest)
        for path, digest in sorted(_files(run, receipt).items())
        if _is_there(run, path)
    ]
    return ArtifactList(run=name, total_bytes=sum(item.size_bytes for item in items), items=items)


def download(platform: Platform, caller: Caller, name: str, path: str) -> Download:
    """One file; NotFound for a path that is not literally in the receipt."""
    run, receipt = _finished(platform, caller.account, name)
    digest = _files(run, receipt).get(path)
    if digest is None:
        raise NotFound(
            say("experiment {name!r} has no file {path!r}", name=name, path=path[:200]),
            hint=say("`GET /experiments/{name}/artifacts` lists them", name=name),
        )
    if not _is_there(run, path):
        raise _gone(name, path)
    _record(platform, caller, name, path)
    return Download(run.path / path, path.rpartition("/")[2], digest)


def report(platform: Platform, caller: Caller, name: str) -> Download:
    """The report for people, one HTML page."""
    return download(platform, caller, name, REPORT)


def archive(platform: Platform, caller: Caller, name: str) -> Iterator[bytes]:
    """The final model as a zip file, piece by piece; never more than a piece of it is held."""
    run, receipt = _finished(platform, caller.account, name)
    paths = [path for path in sorted(receipt.files) if path.startswith(FINAL_MODEL)]
    missing = [path for path in paths if not _is_there(run, path)]
    if missing or not paths:
        raise _gone(name, missing[0] if missing else FINAL_MODEL)
    _record(platform, caller, name, FINAL_MODEL.rstrip("/"))
    return _zipped(run, name, paths)


def _finished(platform: Platform, principal: Principal, name: str) -> tuple[RunDirectory, Receipt]:
    with platform.installation.database.read() as session:
        record = readable(session, principal, name)
    run = RunDirectory(platform.installation.results_dir / record.experiment.run_dir)
    if not run.path.is_dir():
        raise _gone(name, "its directory")
    if not run.is_complete:
        raise Conflict(
            say("run {name!r} has left nothing yet: it is {state}", name=name, state=record.summary.state),
            hint="its files are there once it has succeeded",
            code="run.incomplete",
        )
    return run, read_receipt(run)


def _files(run: RunDirectory, receipt: Receipt) -> dict[str, str]:
    """What may be sent: the files the receipt names, and the receipt itself."""
    return {**receipt.files, run.receipt.name: sha256_file(run.receipt)}


def _gone(name: str, what: str) -> NotFound:
    return NotFound(
        say("files of run {name!r} are gone from the disk: {what}", name=name, what=what),
        hint="restore them from a copy, or train again",
        code="run.files_gone",
    )


def _is_there(run: RunDirectory, path: str) -> bool:
    """Whether a path of a receipt is a file of the run; a receipt that was tampered with cannot lead out of it."""
    file = run.path / path
    return file.is_file() and file.resolve() == file and run.path in file.parents


def _record(platform: Platform, caller: Caller, name: str, path: str) -> None:
    platform.audit.append_now(caller, "artifact.download", f"{KIND}:{name}", details={"path": path})


class _Pieces:
    """What a zip file is written to: keeps what was written since the last `take`."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def write(self, content: bytes) -> int:
        """Keep it."""
        self._buffer += content
        return len(content)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        """What was written, once."""
        taken = bytes(self._buffer)
        self._buffer.clear()
        return taken


def _zipped(run: RunDirectory, name: str, paths: list[str]) -> Iterator[bytes]:
    pieces = _Pieces()
    with zipfile.ZipFile(pieces, "w", zipfile.ZIP_STORED) as archive:  # weights do not get smaller
        for path in paths:
            entry = zipfile.ZipInfo(f"{name}/{path.removeprefix(FINAL_MODEL)}", _LONG_AGO)
            entry.external_attr = 0o644 << 16
            with (run.path / path).open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                while piece := source.read(PIECE_BYTES):
                    target.write(piece)
                    yield pieces.take()
    yield pieces.take()

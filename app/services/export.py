"""A run in one file: its record and metrics as JSON or CSV, or its directory without the checkpoints as an archive."""

import csv
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from app.db.repositories import experiments, metrics
from app.domain.errors import Conflict, InvalidInput
from app.domain.wording import say
from app.runs.directory import RunDirectory
from app.runs.files import storage_errors, write_bytes_atomic
from app.services.experiments import find_run, show
from app.services.installation import Installation

Format = Literal["json", "csv", "zip", "tar.gz"]
FORMATS: tuple[Format, ...] = ("json", "csv", "zip", "tar.gz")


def format_of(path: Path) -> Format:
    """The format a file name asks for."""
    for known in FORMATS:
        if path.name.endswith("." + known):
            return known
    raise InvalidInput(
        say("cannot tell the format from {name!r}", name=path.name),
        hint=say("end it with .{formats}", formats=", .".join(FORMATS)),
    )


def refuse_existing(path: Path) -> None:
    """Conflict when there is something already where a file shall be written."""
    if path.exists():
        raise Conflict(say("{path} exists already", path=path), hint="choose another --out")


def export_run(installation: Installation, name: str, path: Path, kind: Format) -> None:
    """Write one run to a new file; Conflict when the file exists."""
    refuse_existing(path)
    if kind in ("json", "csv"):
        write_bytes_atomic(path, export_text(installation, name, kind).encode())
    else:
        write_archive(find_run(installation, name), path, kind)


def export_text(installation: Installation, name: str, kind: Format) -> str:
    """The record with all metric points as JSON, or the points alone as CSV (one value a row)."""
    record = show(installation, name)
    with installation.database.read() as session:
        found = experiments.get(session, name)
        assert found is not None
        rows = metrics.points(session, found.experiment.id)
    points = [{"kind": p.kind, "step": p.step, "attempt": p.attempt, "time": p.time, "values": p.values} for p in rows]
    return as_text(record, points, kind)


def as_text(record: dict[str, Any], points: Sequence[dict[str, Any]], kind: Format) -> str:
    """A described run and its metric points in a text format; InvalidInput for an archive."""
    if kind == "json":
        return json.dumps({**record, "points": points}, ensure_ascii=False, indent=2) + "\n"
    if kind != "csv":
        raise InvalidInput(say("{kind} is no text", kind=kind), hint="choose json or csv, or give --out a file's name")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("kind", "step", "attempt", "time", "metric", "value"))
    for point in points:
        for metric, value in point["values"].items():
            writer.writerow((point["kind"], point["step"], point["attempt"], point["time"], metric, value))
    return text.getvalue()


def write_archive(run: RunDirectory, path: Path, kind: Format) -> None:
    """Pack a run without its checkpoints into a new file."""
    temporary = path.with_name(f".{path.name}.tmp")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if kind == "zip":
                with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
                    for file in _files(run):
                        archive.write(file, _inside(run, file))
            else:
                with tarfile.open(temporary, "w:gz") as archive:
                    for file in _files(run):
                        archive.add(file, _inside(run, file))
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)


def _files(run: RunDirectory) -> Iterator[Path]:
    """What a stranger needs: everything but checkpoints, locks and files half-written."""
    for path in sorted(run.path.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(run.path).parts)
        if path.is_file() and not path.is_symlink() and not hidden and run.checkpoints not in path.parents:
            yield path


def _inside(run: RunDirectory, file: Path) -> str:
    return f"{run.name}/{file.relative_to(run.path).as_posix()}"

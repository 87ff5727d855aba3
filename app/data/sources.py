"""A file of any kind -> its columns and records. Which column is what is for `readers.py` to say."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

from app.data import archives, class_files, hub, parquet_files, workbooks
from app.data.delimited import read_delimited
from app.data.encoding import OtherLines, Survey, bounded_lines, check_readable, open_text, read_start, survey
from app.data.json_records import json_document, json_lines
from app.data.line_rows import Unreadable, whole_lines
from app.data.records import SAMPLE_ROWS, Record, Source
from app.domain.data_reading import AS_FOUND, ASKED, Reading
from app.domain.data_report import Detected
from app.domain.errors import DataUnreadable
from app.domain.wording import say


def _read_lines(path: Path, found: Survey, max_row_bytes: int) -> Source:
    reasons = {"encoding": found.reason, "format": say("each line of a .txt file is one text")}
    detected = Detected(format="text", encoding=found.encoding, header=False, columns=["1"], reasons=reasons)
    others = OtherLines()

    def lines() -> Iterator[str]:
        with open_text(path, found, others) as file:
            yield from bounded_lines(file, max_row_bytes)

    return Source(found.sha256, detected, others.noting(whole_lines(lines())), others)


def _of_objects(
    objects: Iterable[dict[str, Any] | Unreadable],
) -> tuple[list[str], Iterator[Record]]:
    """Columns are the keys of the first objects in order of appearance; a key an object lacks is an empty cell."""
    objects = iter(objects)
    sample = list(islice(objects, SAMPLE_ROWS))
    columns = list(dict.fromkeys(key for item in sample if isinstance(item, dict) for key in item))
    rows = (i if isinstance(i, Unreadable) else [i.get(c) for c in columns] for i in chain(sample, objects))
    return columns, rows


def _json_kind(head: str, suffix: str) -> tuple[str, str] | None:
    """`json`, `jsonl` or None by how the text starts, with the reason."""
    start = head.lstrip("\ufeff \t\r\n")
    if start.startswith("[") and (suffix.startswith(".json") or start[1:].lstrip()[:1] in ("{", "]")):
        return "json", say("it starts with the bracket of a list")
    if not start.startswith("{"):
        return None
    line, _, rest = start.partition("\n")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if suffix in (".jsonl", ".ndjson") or (isinstance(value, dict) and (rest.strip() or not _holds_rows(value))):
        return "jsonl", say("its lines start as objects of their own")
    if value is None and not suffix.startswith(".json") and not re.match(r'\{\s*("|$)', start):
        return None
    return "json", say("it starts with the brace of an object that spans lines or holds a list")


def _holds_rows(value: dict[str, Any]) -> bool:
    return any(isinstance(v, list) and (key == "data" or isinstance((v or [0])[0], dict)) for key, v in value.items())


def _read_json(path: Path, found: Survey, max_row_bytes: int, kind: str, reason: str) -> Source:
    others = OtherLines()

    def objects() -> Iterator[dict[str, Any] | Unreadable]:
        with open_text(path, found, others) as file:
            if kind == "jsonl":
                yield from json_lines(bounded_lines(file, max_row_bytes))
            else:
                yield from json_document(file, path, max_row_bytes)

    columns, records = _of_objects(others.noting(objects()))
    reasons = {"encoding": found.reason, "format": reason}
    detected = Detected(format=kind, encoding=found.encoding, columns=columns, reasons=reasons)
    return Source(found.sha256, detected, records, others)


def _read_hub(source: str) -> Source:
    columns, records, sha256 = hub.load(source)
    return Source(
        sha256, Detected(format="hub", columns=columns, reasons={"format": f"it starts with {hub.PREFIX}"}), records
    )


def open_source(
    source: str,
    max_row_bytes: int,
    asked: Sequence[str],
    want_label: bool,
    closing: ExitStack,
    reading: Reading = AS_FOUND,
) -> Source:
    """Find out what `source` is and open it; `asked` are column names, `reading` the layout the user gave.

    What was unpacked for it goes when `closing` closes; read the records before. DataUnreadable where there is nothing
    to read, InvalidInput where the layout that was asked for is none this kind of source has.
    """
    if source.startswith(hub.PREFIX):
        reading.check_only((), say("{name} is a data set of the hub, which says itself how it is read", name=source))
        return _read_hub(source)
    path, sheet = workbooks.named_sheet(Path(source).expanduser())
    if path.is_dir() or class_files.is_pattern(path):
        reading.check_only((), say("{name} is files of one class each", name=source))
        return class_files.read(path, max_row_bytes)
    check_readable(path)
    with _reading(path), path.open("rb") as file:
        head = file.read(4)
    if head == archives.ZIP_MAGIC and workbooks.is_workbook(path):
        reading.check_only(("header",), say("{name} is an Excel workbook", name=path.name))
        return workbooks.read_workbook(path, max_row_bytes, asked, sheet, closing, reading)
    if sheet is not None:
        raise DataUnreadable(
            say("{source} names a sheet, and {name} is no Excel workbook", source=source, name=path.name),
            hint=say("give {path}", path=path),
        )
    if head == parquet_files.MAGIC:
        reading.check_only((), say("{name} is a Parquet file, which says itself how it is read", name=path.name))
        return parquet_files.read_parquet(path, max_row_bytes, asked, closing)
    if archives.is_archive(head):
        unpacked = archives.unpack(path, closing)
        with archives.named(path, unpacked):
            opened = open_source(str(unpacked.inside), max_row_bytes, asked, want_label, closing, reading)
        return archives.as_packed(opened, path, unpacked)
    return _read_text(path, max_row_bytes, asked, want_label, reading)


def files_of(source: str) -> list[Path]:
    """The files that a source is read from; none of the hub, or where there are none."""
    if not source or source.startswith(hub.PREFIX):
        return []
    path = workbooks.named_sheet(Path(source).expanduser())[0]
    if path.is_dir():
        return list(class_files.files_below(path))
    return class_files.paths_of(path) if class_files.is_pattern(path) else [path]


def _read_text(path: Path, max_row_bytes: int, asked: Sequence[str], want_label: bool, reading: Reading) -> Source:
    found = survey(path, encoding=reading.encoding)
    if not want_label and not asked and path.suffix.lower() == ".txt" and not reading.asked:
        return _read_lines(path, found, max_row_bytes)
    if kind := _chosen_json_kind(path, found, reading):
        reading.check_only(("format", "encoding"), say("{name} is read as {kind}", name=path.name, kind=kind[0]))
        opened = _read_json(path, found, max_row_bytes, *kind)
    else:
        opened = read_delimited(path, found, max_row_bytes, asked, reading)
    opened.detected = opened.detected.model_copy(update={"other_lines": list(found.other_lines)})
    return opened


def _chosen_json_kind(path: Path, found: Survey, reading: Reading) -> tuple[str, str] | None:
    if reading.format in ("json", "jsonl"):
        return reading.format, ASKED
    if reading.format != "auto":
        return None
    with _reading(path), open_text(path, found) as file_text:
        head = read_start(file_text, 1 << 16)
    return _json_kind(head, path.suffix.lower())


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataUnreadable(
            say("cannot read {path}: {strerror}", path=path, strerror=error.strerror or error),
            hint="check its owner and permissions",
        ) from error

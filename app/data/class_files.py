"""Rows from files that each hold one class: a folder for each class, or a file for each class with a text a line."""

import glob
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from app.data.detection import Unreadable, whole_lines
from app.data.encoding import OVERLONG, Survey, bounded_lines, open_text, survey
from app.data.progress import counted
from app.data.records import Source
from app.domain.data_report import Detected
from app.domain.errors import DataUnreadable

TABLES = frozenset({".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".zip", ".gz"})
"""Files that have labels of their own; in a folder it is not clear which one is meant."""

SPLIT_NAMES = frozenset({"train", "training", "dev", "eval", "val", "valid", "validation", "test", "testing"})
_HINT = "a folder is read as one folder a class (a text a file), or one .txt file a class (a text a line)"


@dataclass(frozen=True)
class _ClassFile:
    path: Path
    label: str
    whole: bool
    """The file is one text, not one a line."""


def is_hidden(path: Path) -> bool:
    """Whether a relative path has a part that systems put beside data unasked."""
    return any(part.startswith(".") or part in ("__MACOSX", "Thumbs.db", "desktop.ini") for part in path.parts)


def is_pattern(path: Path) -> bool:
    """Whether `path` is no file but a pattern such as `reviews.*`."""
    return glob.has_magic(str(path)) and not path.exists()


def read(path: Path, max_row_bytes: int) -> Source:
    """Rows of a folder, or of the files that a pattern names, by class.

    Rows are numbered through the files in the order of their names; the reasons say which file has which. The sha256
    is taken over names, relative to the folder, and the hash of each file. DataUnreadable where there are no two
    classes, where files are no class files, and for links that lead out of the folder.
    """
    if path.is_dir():
        root, files = path, _of_folder(path)
    else:
        root, files = path.parent, _of_files(sorted(path.parent.glob(path.name)), path)
    surveys = [survey(file.path) for file in counted(files, "looking at files", len(files))]
    digest = hashlib.sha256()
    for file, found in zip(files, surveys, strict=True):
        digest.update(f"{os.path.relpath(file.path, root)}\0{found.sha256}\n".encode())
    encodings = sorted({found.encoding for found in surveys})
    detected = Detected(
        format="class files",
        encoding=", ".join(encodings),
        header=False,
        columns=["text", "label"],
        reasons={
            "format": f"one {'file a text; each folder' if files[0].whole else 'text a line; each file'} is a class: "
            + _counted(files),
            "encoding": surveys[0].reason if len(encodings) == 1 else "each file was looked at by itself",
        },
    )
    rows = (_rows(file, found, max_row_bytes) for file, found in zip(files, surveys, strict=True))
    return Source(digest.hexdigest(), detected, chain.from_iterable(rows))


def _counted(files: Sequence[_ClassFile]) -> str:
    labels = list(dict.fromkeys(file.label for file in files))
    return f"{', '.join(labels[:5])}{f' and {len(labels) - 5} more' if len(labels) > 5 else ''}; in this order"


def _rows(file: _ClassFile, found: Survey, max_row_bytes: int) -> Iterator[list[str] | Unreadable]:
    with open_text(file.path, found) as opened:
        lines = bounded_lines(opened, max_row_bytes)
        if not file.whole:
            yield from (row if isinstance(row, Unreadable) else [row[0], file.label] for row in whole_lines(lines))
            return
        text = opened.read(max_row_bytes + 1)
        if len(text) > max_row_bytes or OVERLONG in text:
            yield Unreadable(f"{file.path.name} is longer than data.max_row_bytes, so it was not read", text[:80])
        else:
            yield [text.strip("\r\n"), file.label]


def _of_folder(folder: Path) -> list[_ClassFile]:
    found: list[Path] = []
    for where, below, names in os.walk(folder, onerror=_raise_unreadable):
        below.sort()
        for name in sorted([*names, *(entry for entry in below if Path(where, entry).is_symlink())]):
            path = Path(where, name)
            if not is_hidden(path.relative_to(folder)):
                found.append(_checked(path, folder))
    if not found:
        raise DataUnreadable(f"{folder} is a folder without files", hint=_HINT)
    deep = [path for path in found if path.parent != folder]
    if not deep:
        return _of_files(found, folder)
    if len(deep) < len(found):
        beside = next(path for path in found if path.parent == folder)
        raise DataUnreadable(
            f"{folder} has folders and files side by side, such as {beside.name}", hint=f"{_HINT}; not both"
        )
    labels = {path: path.relative_to(folder).parts[0] for path in found}
    _check_classes(sorted(set(labels.values())), folder)
    return [_ClassFile(path, label, whole=True) for path, label in labels.items() if path.stat().st_size]


def _of_files(files: list[Path], source: Path) -> list[_ClassFile]:
    names = ", ".join(path.name for path in files[:5])
    if not files:
        raise DataUnreadable(
            f"no file is named {source}", hint="check the pattern; quote it so that the shell keeps it"
        )
    if len(files) == 1 or any(path.suffix.lower() in TABLES or path.stem.casefold() in SPLIT_NAMES for path in files):
        raise DataUnreadable(
            f"{source} is a directory, not a data file", hint=f"give one of its files: {names}; {_HINT}"
        )
    stems = [path.stem for path in files]
    labels = stems if len(set(stems)) == len(files) else [path.suffix.lstrip(".") for path in files]
    if len(set(labels)) < len(files):
        raise DataUnreadable(f"{source}: the names of its files name no classes: {names}", hint=_HINT)
    return [_ClassFile(path, label, whole=False) for path, label in zip(files, labels, strict=True)]


def _check_classes(labels: Sequence[str], folder: Path) -> None:
    if len(labels) < 2:
        raise DataUnreadable(f"{folder} has the folder '{labels[0]}' alone", hint=f"give {labels[0]} itself; {_HINT}")
    if all(label.casefold() in SPLIT_NAMES for label in labels):
        raise DataUnreadable(
            f"{folder} has splits, not classes: {', '.join(labels)}",
            hint=f"give them one by one: --data {folder / labels[-1]} --test-data ...",
        )


def _checked(path: Path, folder: Path) -> Path:
    """`path`, unless it is a link that leads nowhere, in a circle, or out of the folder, or no regular file."""
    if path.is_symlink():
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise DataUnreadable(
                f"{path} is a symbolic link that leads nowhere or in a circle", hint="remove it"
            ) from error
        if target.is_dir() or not target.is_relative_to(folder.resolve()):
            raise DataUnreadable(f"{path} is a symbolic link to {target}", hint="put the file itself into the folder")
    if not path.is_file():
        raise DataUnreadable(f"{path} is not a regular file", hint="remove it from the folder")
    return path


def _raise_unreadable(error: OSError) -> None:
    raise DataUnreadable(
        f"cannot read {error.filename}: {error.strerror}", hint="check its owner and permissions"
    ) from error

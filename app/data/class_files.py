"""Rows from files that each hold one class: a folder for each class, or a file for each class with a text a line."""

import glob
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from app.data.encoding import OVERLONG, OtherLines, Survey, bounded_lines, open_text, read_start, survey
from app.data.line_rows import Unreadable, whole_lines
from app.data.progress import counted
from app.data.records import Source
from app.domain.data_report import MAX_ROWS_NAMED, Detected
from app.domain.errors import DataUnreadable, InvalidInput
from app.domain.wording import say

TABLES = frozenset({".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".zip", ".gz"})
"""Files that have labels of their own; in a folder it is not clear which one is meant."""

TRAIN_NAMES = frozenset({"train", "training"})
SPLIT_NAMES = TRAIN_NAMES | {"dev", "eval", "val", "valid", "validation", "test", "testing"}
UNLABELLED = frozenset({"unsup", "unlabeled", "unlabelled"})
"""Folders of texts that nobody gave a class."""

_ABOUT = re.compile(r"(?:readme|licen[cs]e|copying|notice|changelog|citation)(?:[._ -][a-z._ -]*)?", re.IGNORECASE)
_BRACES = re.compile(r"\{([^{}]+,[^{}]+)\}")
_HINT = say("a folder is read as one folder a class (a text a file), or one .txt file a class (a text a line)")
MAX_NAMED = 5


@dataclass(frozen=True)
class _ClassFile:
    path: Path
    label: str
    whole: bool
    """The file is one text, not one a line."""


@dataclass
class _Classes:
    """Files with their classes, below `root`; `left_out` are names of those beside them that have none."""

    root: Path
    files: list[_ClassFile]
    left_out: list[str] = field(default_factory=list)


def is_hidden(path: Path) -> bool:
    """Whether a relative path has a part that systems put beside data unasked."""
    return any(part.startswith(".") or part in ("__MACOSX", "Thumbs.db", "desktop.ini") for part in path.parts)


def is_about(path: Path) -> bool:
    """Whether a file is about data, as README and LICENSE are, and not of it."""
    return path.suffix.lower() == ".md" or _ABOUT.fullmatch(path.name) is not None


def is_pattern(path: Path) -> bool:
    """Whether `path` is no file but a pattern such as `reviews.*` or `{good,bad}.txt`."""
    name = str(path)
    return (glob.has_magic(name) or _BRACES.search(name) is not None) and not path.exists()


def as_pattern(names: Sequence[str]) -> str:
    """One pattern that names these files, as `read` takes it; InvalidInput where their names do not allow one."""
    names = list(dict.fromkeys(names))
    if len(names) == 1:
        return names[0]
    for name in names:
        if any(mark in name for mark in "{},"):
            raise InvalidInput(f"{name}: names with braces or commas cannot be given together", hint="give a folder")
    paths = [Path(glob.escape(name)) for name in names]
    folder = paths[0].parent
    if any(path.parent != folder for path in paths):
        return f"{{{','.join(map(str, paths))}}}"
    return str(folder / f"{{{','.join(path.name for path in paths)}}}")


def paths_of(pattern: Path) -> list[Path]:
    """The files that a pattern names, in the order of their names."""
    names = [str(pattern)]
    while any(_BRACES.search(name) for name in names):
        names = [one for name in names for one in _opened_braces(name)]
    found = (Path(match) for name in names for match in _matches(name))
    return sorted(dict.fromkeys(found))


def _matches(name: str) -> list[str]:
    return glob.glob(name) if glob.has_magic(name) else [name]  # noqa: PTH207 - it may be relative or absolute


def _opened_braces(name: str) -> list[str]:
    match = _BRACES.search(name)
    if match is None:
        return [name]
    return [name[: match.start()] + part + name[match.end() :] for part in match[1].split(",")]


def files_below(folder: Path) -> Iterator[Path]:
    """Every file and link of a folder that is not hidden, in the order of their names."""
    for where, below, names in os.walk(folder, onerror=_raise_unreadable):
        below.sort()
        for name in sorted([*names, *(entry for entry in below if Path(where, entry).is_symlink())]):
            path = Path(where, name)
            if not is_hidden(path.relative_to(folder)):
                yield path


def read(path: Path, max_row_bytes: int) -> Source:
    """Rows of a folder, or of the files that a pattern names, by class.

    Rows are numbered through the files in the order of their names; the reasons say which file has which. The sha256
    is taken over names, relative to the folder, and the hash of each file. DataUnreadable where there are no two
    classes, where files are no class files, and for links that lead out of the folder.
    """
    classes = _of_folder(path) if path.is_dir() else _of_files(paths_of(path), path)
    files = classes.files
    surveys = [survey(file.path, may_be_blank=file.whole) for file in counted(files, "looking at files", len(files))]
    digest = hashlib.sha256()
    for file, found in zip(files, surveys, strict=True):
        digest.update(f"{os.path.relpath(file.path, classes.root)}\0{found.sha256}\n".encode())
    kind = "file a text; each folder" if files[0].whole else "text a line; each file"
    detected = Detected(
        format="class files",
        encoding=", ".join(sorted({found.encoding for found in surveys})),
        header=False,
        columns=["text", "label"],
        reasons={
            "format": f"one {kind} is a class: {_counted([file.label for file in files])}; in this order"
            + (f"; left out: {_counted(classes.left_out)}" if classes.left_out else ""),
            "encoding": _encoding_reason(surveys),
        },
        other_lines=list(surveys[0].other_lines[:MAX_ROWS_NAMED]) if len(surveys) == 1 else [],
    )
    others = OtherLines()
    rows = (_rows(file, found, max_row_bytes, others) for file, found in zip(files, surveys, strict=True))
    return Source(digest.hexdigest(), detected, others.noting(chain.from_iterable(rows)), others)


def _encoding_reason(surveys: Sequence[Survey]) -> str:
    encodings = {found.encoding for found in surveys}
    bad = [found for found in surveys if found.num_bad]
    if len(surveys) == 1 or (len(encodings) == 1 and not bad):
        return surveys[0].reason.replace("it", "each file", 1) if len(surveys) > 1 else surveys[0].reason
    if not bad:
        return "each file was looked at by itself"
    where = f"{len(bad):,} of the {len(surveys):,} files have {sum(found.num_bad for found in bad):,} bytes that are"
    read_as = ", ".join(sorted({found.encoding for found in bad if found.encoding != "utf-8"}))
    return f"{where} not UTF-8" + (f"; they are read as {read_as}" if read_as else "")


def _counted(names: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - MAX_NAMED:,} more" if len(distinct) > MAX_NAMED else ""
    return f"{', '.join(distinct[:MAX_NAMED])}{more}"


def _rows(file: _ClassFile, found: Survey, max_row_bytes: int, others: OtherLines) -> Iterator[list[str] | Unreadable]:
    with open_text(file.path, found, others) as opened:
        if not file.whole:
            lines = bounded_lines(opened, max_row_bytes)
            yield from (row if isinstance(row, Unreadable) else [row[0], file.label] for row in whole_lines(lines))
            return
        text = read_start(opened, max_row_bytes + 1)
        if len(text) > max_row_bytes or OVERLONG in text:
            yield Unreadable(f"{file.path.name} is longer than data.max_row_bytes, so it was not read", text[:80])
        else:
            yield [text.strip("\r\n"), file.label]


def _of_folder(folder: Path) -> _Classes:
    below = list(files_below(folder))
    found = [_checked(path, folder) for path in below if not is_about(path)]
    hidden = [path.name for path in folder.iterdir() if is_hidden(Path(path.name))]
    left_out = [path.name for path in below if is_about(path)] + hidden
    if not found:
        raise DataUnreadable(say("{folder} is a folder without files", folder=folder), hint=_HINT)
    deep = [path for path in found if path.parent != folder]
    if not deep:
        classes = _of_files(found, folder)
        return _Classes(classes.root, classes.files, left_out)
    labels = {path: path.relative_to(folder).parts[0] for path in deep}
    _check_splits(sorted(set(labels.values())), folder)
    unlabelled = {label for label in labels.values() if label.casefold() in UNLABELLED}
    if len(set(labels.values()) - unlabelled) > 1:
        left_out += sorted(unlabelled)
        labels = {path: label for path, label in labels.items() if label not in unlabelled}
    beside = [path for path in found if path.parent == folder]
    if wrong := [path for path in beside if not _is_about_class(path, set(labels.values()) | unlabelled)]:
        raise DataUnreadable(
            say("{folder} has folders and files side by side, such as {name}", folder=folder, name=wrong[0].name),
            hint=say("{hint}; not both", hint=_HINT),
        )
    left_out += [path.name for path in beside]
    if len(only := sorted(set(labels.values()))) == 1:
        raise DataUnreadable(
            say("{folder} has the folder '{only}' alone", folder=folder, only=only[0]),
            hint=say("give {folder}; {hint}", folder=folder / only[0], hint=_HINT),
        )
    files = [_ClassFile(path, label, whole=True) for path, label in labels.items()]
    return _Classes(folder, files, left_out)


def _is_about_class(path: Path, labels: set[str]) -> bool:
    """Whether a file beside class folders lists something of one of them, as `urls_pos.txt` does, or is no text."""
    words = re.split(r"[\W_]+", path.stem)
    return not labels.isdisjoint(words) or path.suffix.lower() not in ({"", ".txt", ".text"} | TABLES)


def _of_files(paths: list[Path], source: Path) -> _Classes:
    files = [path for path in paths if not is_about(path)]
    names = _counted([path.name for path in files])
    if not files:
        raise DataUnreadable(
            say("no file is named {source}", source=source),
            hint="check the pattern; quote it so that the shell keeps it",
        )
    if source.is_dir():
        called = f"{source} is a directory, not a data file"
    else:
        called = (
            f"{source} names {'one file' if len(files) == 1 else f'{len(files)} files'}, and not one for each class"
        )
    labels = _labels_of(files)
    if any(label.casefold() in SPLIT_NAMES for label in [*(path.stem for path in files), *(labels or [])]):
        raise DataUnreadable(
            say("{source} has splits, not classes: {names}", source=source, names=names),
            hint=_how_to_give(files, [path.stem for path in files], labels),
        )
    if len(files) == 1 or any(path.suffix.lower() in TABLES for path in files):
        raise DataUnreadable(called, hint=say("give one of the files: {names}; {hint}", names=names, hint=_HINT))
    if labels is None:
        raise DataUnreadable(
            say("{source}: the names of its files name no classes: {names}", source=source, names=names), hint=_HINT
        )
    left_out = [path.name for path in paths if is_about(path)]
    root = source if source.is_dir() else Path(os.path.commonpath([path.parent.absolute() for path in files]))
    return _Classes(
        root, [_ClassFile(path, label, whole=False) for path, label in zip(files, labels, strict=True)], left_out
    )


def _labels_of(files: Sequence[Path]) -> list[str] | None:
    """What tells files apart: their names, else their suffixes, else the folders they are in; None where nothing."""
    namings = (
        [path.stem for path in files],
        [path.suffix.lstrip(".") for path in files],
        [path.parent.name for path in files],
    )
    return next((names for names in namings if len(set(names)) == len(files)), None)


def _how_to_give(files: Sequence[Path], *namings: Sequence[str] | None) -> str:
    """The options that take files of splits one by one."""
    for names in namings:
        by_split = {name.casefold(): str(path) for path, name in zip(files, names or [], strict=False)}
        train = next((by_split[name] for name in sorted(TRAIN_NAMES) if name in by_split), None)
        if train is None:
            continue
        test = next((by_split[name] for name in ("test", "testing") if name in by_split), None)
        held_out = sorted(SPLIT_NAMES - TRAIN_NAMES - {"test", "testing"})
        evaluation = next((by_split[name] for name in held_out if name in by_split), None)
        others = [f"--eval-data {evaluation}" if evaluation else "", f"--test-data {test}" if test else ""]
        return f"give {train} to train on{''.join(f', {other}' for other in others if other)}"
    return f"give them one by one: {_counted([str(path) for path in files])}"


def _check_splits(folders: Sequence[str], source: Path) -> None:
    folded = {name.casefold() for name in folders}
    if folded <= SPLIT_NAMES or folded & TRAIN_NAMES:
        raise DataUnreadable(
            say("{source} has splits, not classes: {folders}", source=source, folders=", ".join(folders)),
            hint=_how_to_give([source / name for name in folders], folders),
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
        raise DataUnreadable(say("{path} is not a regular file", path=path), hint="remove it from the folder")
    return path


def _raise_unreadable(error: OSError) -> None:
    raise DataUnreadable(
        say("cannot read {filename}: {strerror}", filename=error.filename, strerror=error.strerror),
        hint="check its owner and permissions",
    ) from error

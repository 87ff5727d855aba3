"""Names of stored versions: NAME@1, NAME@2, ...; NAME alone is the newest. What is in them is in `versioning.py`."""

import difflib
import re
from pathlib import Path

from app.data.store_files import names_lock, read_record, storage_errors, store_directory, write_record
from app.domain.data_version import DATA_NAME_PATTERN, NamedVersion, VersionManifest, now
from app.domain.errors import InvalidInput, NotFound
from app.domain.wording import say, words

_REFERENCE = re.compile(rf"({DATA_NAME_PATTERN})(?:@([0-9]{{1,9}}))?")
_REMOVED = ".removed"


def names_directory(results_dir: Path) -> Path:
    """One directory for each name, one file for each number in it."""
    return store_directory(results_dir) / "names"


def entry_path(results_dir: Path, name: str, number: int) -> Path:
    """The file that says which version NAME@NUMBER is."""
    return names_directory(results_dir) / name / f"{number:05d}.json"


def check_data_name(name: str) -> None:
    """Refuse what is no name: it becomes a directory, and part of commands to copy."""
    if not re.fullmatch(DATA_NAME_PATTERN, name):
        raise InvalidInput(
            say("data set name {name!r} cannot be used", name=name),
            hint="1 to 100 letters (a to z), digits, '.', '_', '-'; first and last a letter or digit",
        )


def _numbers(results_dir: Path, name: str) -> dict[int, Path]:
    """Every number ever given to the name; a removed one has a file that ends in .removed."""
    paths = (names_directory(results_dir) / name).glob("[0-9]*")
    return {int(path.stem): path for path in paths if path.suffix in (".json", _REMOVED) and path.stem.isdecimal()}


def entries(results_dir: Path, name: str) -> list[NamedVersion]:
    """What the name stands for, oldest first; empty where there is no such name."""
    paths = sorted((number, path) for number, path in _numbers(results_dir, name).items() if path.suffix == ".json")
    return [read_record(path, NamedVersion) for _, path in paths]


def names(results_dir: Path) -> list[str]:
    """Every name with a version, sorted."""
    found = (path.name for path in names_directory(results_dir).glob("*") if re.fullmatch(DATA_NAME_PATTERN, path.name))
    return sorted(name for name in found if any(p.suffix == ".json" for p in _numbers(results_dir, name).values()))


def all_entries(results_dir: Path) -> list[NamedVersion]:
    """Every name and number, by name, oldest first."""
    return [entry for name in names(results_dir) for entry in entries(results_dir, name)]


def add(results_dir: Path, name: str, version: str, parent: str | None) -> NamedVersion:
    """Give a version the next number of the name, or find the number it has already.

    Looking for the content and giving the number happen under one lock, so of processes that add at once no two
    share a number, and the same content has one number.
    """
    check_data_name(name)
    with names_lock(results_dir):
        known = next((entry for entry in entries(results_dir, name) if entry.version == version), None)
        if known is not None:
            return known
        number = max(_numbers(results_dir, name), default=0) + 1
        entry = NamedVersion(name=name, number=number, version=version, parent=parent, created_at=now())
        write_record(entry_path(results_dir, name, number), entry)
        return entry


def remove(results_dir: Path, entry: NamedVersion) -> None:
    """Forget what NAME@NUMBER stands for; the number is never given again, the content stays until `gc`."""
    path = entry_path(results_dir, entry.name, entry.number)
    with names_lock(results_dir), storage_errors(path):
        path.rename(path.with_suffix(_REMOVED))


def find(results_dir: Path, reference: str) -> NamedVersion:
    """The version that NAME@NUMBER, or the newest that NAME stands for; NotFound names what is near."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise InvalidInput(
            say("{reference!r} is no data set version", reference=reference), hint="write NAME@NUMBER, as in reviews@2"
        )
    name, number = match[1], match[2]
    known = entries(results_dir, name)
    if not known and number is None and (unnamed := _by_content(results_dir, name)):
        return unnamed
    if not known:
        all_names = names(results_dir)
        near = difflib.get_close_matches(name, all_names, n=3) or all_names[:5]
        store = words("store one with `finetune data add FILE --name {name}`")
        hint = say("there is {known}", known=", ".join(near)) if near else say(store, name=name)
        raise NotFound(say("there is no data set named {name!r}", name=name), hint=hint)
    if number is None:
        return known[-1]
    for entry in known:
        if entry.number == int(number):
            return entry
    raise NotFound(
        say("there is no {name}@{number}", name=name, number=int(number)),
        hint=say("there is {known}", known=", ".join(str(entry) for entry in known[-5:])),
    )


def _by_content(results_dir: Path, digits: str) -> NamedVersion | None:
    """The version whose hash begins with so many digits, as a run on a bare file records it; None unless one does."""
    if not re.fullmatch(r"[0-9a-f]{8,64}", digits):
        return None
    paths = list((store_directory(results_dir) / "versions").glob(f"{digits}*.json"))
    if len(paths) != 1:
        return None
    manifest = read_record(paths[0], VersionManifest)
    return NamedVersion(
        name=manifest.version[:12], number=0, version=manifest.version, parent=None, created_at=manifest.created_at
    )


def find_source(results_dir: Path, source: str) -> NamedVersion | None:
    """The stored version a data source names, None where it is a file or hub:ID; a file of that name comes first.

    NotFound for NAME@NUMBER that is not stored.
    """
    match = _REFERENCE.fullmatch(source)
    if match is None or Path(source).exists():
        return None
    if match[2] is None and not entries(results_dir, match[1]):
        return None
    return find(results_dir, source)

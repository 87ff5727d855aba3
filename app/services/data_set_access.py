"""Which data sets somebody may see and change. What is made of that stands in the services that use it."""

import re
from dataclasses import dataclass
from pathlib import Path

from app.auth.permissions import Permission, holds, may_change, may_read
from app.data import catalogue
from app.db.repositories import datasets, shares
from app.db.session import Session
from app.db.tables import DatasetRow
from app.domain.data_version import DATA_NAME_PATTERN, NamedVersion
from app.domain.errors import Forbidden, Hidden, InvalidInput, NotFound
from app.domain.principal import Principal
from app.domain.wording import say

_REFERENCE = re.compile(rf"({DATA_NAME_PATTERN})(?:@([0-9]{{1,9}}))?")


@dataclass(frozen=True)
class Seen:
    """A data set somebody may read; `row` is None where it was made on the command line and nobody owns it."""

    name: str
    row: DatasetRow | None
    entries: list[NamedVersion]

    @property
    def owner(self) -> str | None:
        """Whose it is."""
        return self.row.owner if self.row else None

    def version(self, number: int | None) -> NamedVersion:
        """The version of that number, the newest without one; NotFound where there is none."""
        found = self.entries[-1:] if number is None else [one for one in self.entries if one.number == number]
        if found:
            return found[0]
        if not self.entries:
            raise NotFound(
                say("{name!r} has no version yet", name=self.name),
                hint="its first one is being checked, or was refused",
            )
        there = ", ".join(str(one) for one in self.entries[-5:])
        raise NotFound(
            say("there is no {name}@{number}", name=self.name, number=number), hint=say("there is {there}", there=there)
        )


def is_readable(session: Session, principal: Principal, name: str, owner: str | None) -> bool:
    """Whether somebody may read a data set that belongs to `owner`."""
    return may_read(principal, owner, shared=shares.is_shared(session, datasets.KIND, name, principal.username))


def find(session: Session, results_dir: Path, principal: Principal, name: str, *, lock: bool = False) -> Seen:
    """A data set by name; NotFound for what is not there, Hidden (the same words) for what is not for their eyes."""
    message = say("there is no data set named {name!r}", name=name[:100])
    hint = say("`GET /datasets` lists yours")
    if not re.fullmatch(DATA_NAME_PATTERN, name):
        raise NotFound(message, hint=hint)
    row = datasets.get_locked(session, name) if lock else datasets.get(session, name)
    entries = catalogue.entries(results_dir, name)
    if row is None and not entries:
        raise NotFound(message, hint=hint)
    if not is_readable(session, principal, name, row.owner if row else None):
        raise Hidden(message, hint=hint, resource=f"dataset:{name}")
    return Seen(name, row, entries)


def may_change_it(principal: Principal, seen: Seen) -> bool:
    """Whether somebody may add versions to a data set, share and delete it."""
    return holds(principal.role, Permission.DATASET_WRITE) and may_change(principal, seen.owner)


def check_may_change(principal: Principal, seen: Seen) -> None:
    """Forbidden for those who may only read it."""
    if not may_change(principal, seen.owner):
        raise Forbidden(
            say("only its owner and administrators may change {name!r}", name=seen.name),
            hint="store a copy under a name of your own",
        )


def find_version(session: Session, results_dir: Path, principal: Principal, reference: str) -> NamedVersion:
    """The version that NAME@NUMBER, or the newest that NAME stands for; as `find` where there is none to be seen."""
    named = parse(reference)
    if named is None:
        raise InvalidInput(
            say("{reference!r} is no data set version", reference=reference[:200]),
            hint="write NAME@NUMBER, as in reviews@2",
        )
    return find(session, results_dir, principal, named[0]).version(named[1])


def parse(reference: str) -> tuple[str, int | None] | None:
    """Name and number of NAME@NUMBER, None for the number of NAME alone; None for anything else."""
    match = _REFERENCE.fullmatch(reference)
    return None if match is None else (match[1], int(match[2]) if match[2] else None)

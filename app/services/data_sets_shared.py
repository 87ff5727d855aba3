"""Stored data sets for people who share an installation: lists, versions, what was found in them.

How they come in is `data_set_intake`, whose they are `data_set_access`, their rows `data_set_rows`. Nothing here reads
a row: manifests say it all.
"""

import logging
from pathlib import Path

from app.data import catalogue, versioning
from app.db.repositories import datasets
from app.db.session import Session
from app.db.tables import DatasetRow
from app.domain.data_profile import DataProfile
from app.domain.data_version import NamedVersion, VersionManifest
from app.domain.errors import DatasetDamaged, InvalidInput
from app.domain.principal import Principal
from app.domain.wording import say
from app.schemas.datasets import DatasetItem, DatasetView, VersionFindings, VersionView
from app.schemas.paging import MAX_COUNTED, Page
from app.services import data_set_access
from app.services.data_set_access import find_version
from app.services.paging import decode_cursor, encode_cursor
from app.services.platform import Platform
from app.services.version_views import version_findings, version_item, version_view
from app.settings import get_settings

logger = logging.getLogger(__name__)

_LIST = "datasets"
_FOREIGN = ("hub:", "http:", "https:", "file:")


def resolve_for_training(
    session: Session, principal: Principal, reference: str, results_dir: Path | None = None
) -> NamedVersion:
    """The stored version that `data.train` and its like name, for somebody who may read it.

    NotFound for what is not there or not theirs to see, InvalidInput for paths and addresses: over HTTP only stored
    data is used. Looked for below `results_dir`, by default that of the settings.
    """
    if "/" in reference or "\\" in reference or reference.startswith(_FOREIGN):
        raise InvalidInput(
            say("{reference!r} is no stored data set", reference=reference[:200]),
            hint="POST /datasets stores a file; then write NAME@NUMBER",
        )
    return find_version(session, results_dir or get_settings().results_dir, principal, reference)


def list_data_sets(platform: Platform, principal: Principal, cursor: str | None, limit: int) -> Page[DatasetItem]:
    """What somebody owns or was let read, by name; for an administrator everything that is stored."""
    after = str(decode_cursor(cursor, _LIST, [str])[0]) if cursor else None
    with platform.installation.database.read() as session:
        if principal.is_admin:
            found, total = _everything(session, platform, after, limit + 1)
        else:
            rows, total = datasets.visible(
                session, principal.username, after=after, limit=limit + 1, max_counted=MAX_COUNTED
            )
            found = [(row.name, row) for row in rows]
    items = [_item(platform, name, row) for name, row in found[:limit]]
    following = encode_cursor(_LIST, [items[-1].name]) if len(found) > limit else None
    return Page(items=items, total=total if total <= MAX_COUNTED else None, next=following)


def _everything(
    session: Session, platform: Platform, after: str | None, limit: int
) -> tuple[list[tuple[str, DatasetRow | None]], int]:
    """All names, those that were stored on the command line too, which nobody owns."""
    names = sorted({*datasets.all_names(session), *catalogue.names(platform.settings.results_dir)})
    page = [name for name in names if after is None or name > after][:limit]
    rows = datasets.named(session, page)
    return [(name, rows.get(name)) for name in page], len(names)


def _item(platform: Platform, name: str, row: DatasetRow | None) -> DatasetItem:
    entries = catalogue.entries(platform.settings.results_dir, name)
    return DatasetItem(
        name=name,
        owner=row.owner if row else None,
        created_at=row.created_at if row else entries[0].created_at if entries else None,
        stored_bytes=row.stored_bytes if row else 0,
        num_versions=len(entries),
        latest=version_item(entries[-1], manifest_of(platform, entries[-1])) if entries else None,
    )


def get_data_set(platform: Platform, principal: Principal, name: str) -> DatasetView:
    """One data set with its versions."""
    with platform.installation.database.read() as session:
        seen = data_set_access.find(session, platform.settings.results_dir, principal, name)
    item = _item(platform, seen.name, seen.row)
    versions = [version_item(entry, manifest_of(platform, entry)) for entry in seen.entries]
    may_change = data_set_access.may_change_it(principal, seen)
    return DatasetView(**dict(item), versions=versions, may_change=may_change)


def get_version(platform: Platform, principal: Principal, name: str, number: int) -> VersionView:
    """One version in full."""
    return version_view(*_version(platform, principal, name, number))


def get_findings(platform: Platform, principal: Principal, name: str, number: int) -> VersionFindings:
    """What was found in the files of a version."""
    return version_findings(*_version(platform, principal, name, number))


def stored_profile(
    platform: Platform, principal: Principal, name: str, number: int
) -> tuple[NamedVersion, DataProfile | None]:
    """The profile a version keeps; None where it was stored without one."""
    entry, manifest = _version(platform, principal, name, number)
    return entry, versioning.stored_profile(manifest)


def _version(platform: Platform, principal: Principal, name: str, number: int) -> tuple[NamedVersion, VersionManifest]:
    with platform.installation.database.read() as session:
        entry = data_set_access.find(session, platform.settings.results_dir, principal, name).version(number)
    return entry, manifest_of(platform, entry)


def manifest_of(platform: Platform, entry: NamedVersion) -> VersionManifest:
    """What a version is made of; DatasetDamaged in words that name no file of this server."""
    try:
        return versioning.read_manifest(entry.version, platform.settings.results_dir)
    except DatasetDamaged as error:
        logger.exception("the manifest of %s cannot be used", entry)
        raise DatasetDamaged(
            say("{entry} is damaged on the server", entry=entry), hint="its log says which file; add the data again"
        ) from error

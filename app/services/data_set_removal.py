"""Forget versions of data sets; their content stays until `finetune data gc`, and longer where a run refers to it."""

from collections.abc import Sequence

from app.data import catalogue
from app.db.repositories import datasets, shares, uploads
from app.db.session import Session
from app.domain.data_version import NamedVersion
from app.domain.errors import Conflict
from app.domain.principal import Caller, Principal
from app.domain.wording import say
from app.runs.directory import RunDirectory
from app.services import data_set_access
from app.services.data_set_access import check_may_change, parse
from app.services.data_set_intake import measured_bytes
from app.services.platform import Platform

_SOURCES = ("train", "eval", "test")


def delete_version(platform: Platform, caller: Caller, name: str, number: int) -> None:
    """Take the number from a version; it is never given again. Conflict while a run waits that will ask for it."""
    results_dir = platform.settings.results_dir
    with platform.installation.database.write() as session:
        seen = data_set_access.find(session, results_dir, _principal(caller), name, lock=True)
        check_may_change(_principal(caller), seen)
        entry = seen.version(number)
        _refuse_awaited(session, platform, seen.entries, [entry])
        platform.audit.append(session, caller, "dataset.delete", f"dataset:{entry}", "started", {})
    catalogue.remove(results_dir, entry)
    with platform.installation.database.write() as session:
        row = datasets.get_locked(session, name)
        if row is not None:
            row.stored_bytes = measured_bytes(platform, name)
        platform.audit.append(session, caller, "dataset.delete", f"dataset:{entry}", "success", {})


def delete(platform: Platform, caller: Caller, name: str) -> None:
    """Forget all versions of a name, with whom it is shared, and whose it is: the name is free again."""
    results_dir = platform.settings.results_dir
    with platform.installation.database.write() as session:
        seen = data_set_access.find(session, results_dir, _principal(caller), name, lock=True)
        check_may_change(_principal(caller), seen)
        _refuse_awaited(session, platform, seen.entries, seen.entries)
        if uploads.any_for(session, name):
            raise Conflict(
                say("a version of {name!r} is being made", name=name),
                hint="wait for it, or cancel its task",
                code="dataset.in_use",
            )
        details = {"versions": [entry.number for entry in seen.entries][-100:], "num_versions": len(seen.entries)}
        platform.audit.append(session, caller, "dataset.delete", f"dataset:{name}", "started", details)
    for entry in seen.entries:
        catalogue.remove(results_dir, entry)
    with platform.installation.database.write() as session:
        row = datasets.get_locked(session, name)
        if not catalogue.entries(results_dir, name):  # else somebody has added one this moment
            shares.remove(session, datasets.KIND, name)
            if row is not None:
                datasets.delete(session, row)
        platform.audit.append(session, caller, "dataset.delete", f"dataset:{name}", "success", details)


def _principal(caller: Caller) -> Principal:
    assert caller.principal is not None, "the route asks for a sign-in"
    return caller.principal


def _refuse_awaited(
    session: Session, platform: Platform, entries: Sequence[NamedVersion], doomed: Sequence[NamedVersion]
) -> None:
    """Conflict where a run that has not read its data yet is configured with a version that shall go."""
    newest = max((entry.number for entry in entries), default=0)
    wanted: set[tuple[str, int | None]] = {(entry.name, entry.number) for entry in doomed}
    wanted |= {(name, None) for name, number in wanted if number == newest}
    for run in datasets.waiting_runs(session):
        sources = run.config.get("data", {})
        asked = [source for source in (sources.get(key) for key in _SOURCES) if source and parse(source) in wanted]
        if asked and not RunDirectory(platform.settings.results_dir / run.run_dir).data_report.is_file():
            raise Conflict(
                say("{asked} is awaited by a run that has not begun", asked=asked[0]),
                hint="cancel that run, or wait until it has read its data",
                code="dataset.in_use",
            )

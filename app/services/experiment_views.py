"""Experiments for whoever may see them: their owner, those they are shared with, administrators."""

import re
from collections.abc import Sequence

from app.auth.permissions import Permission, holds, may_change, may_read
from app.db.repositories import experiments, metrics, shares, users
from app.db.repositories.experiments import NEWEST_FIRST, ExperimentRecord, ListedExperiment
from app.db.session import Session
from app.domain.errors import Conflict, Forbidden, Hidden, InvalidInput, NotFound
from app.domain.filters import parse_filter, parse_sort
from app.domain.principal import Caller, Principal
from app.domain.task import TaskState
from app.domain.train_config import RUN_NAME_PATTERN
from app.domain.wording import say
from app.runs.directory import RunDirectory
from app.runs.files import tree_size
from app.runs.lock import is_locked
from app.schemas.experiments import Comparison, Deletion, ExperimentItem, ExperimentView
from app.schemas.paging import Page
from app.schemas.tasks import MetricSeries
from app.services.data_set_access import find, parse
from app.services.experiments import describe, differences, removing, summary
from app.services.paging import decode_cursor, encode_cursor
from app.services.platform import Platform
from app.services.task_outputs import WantedPoints, series

MAX_COMPARED = 20
MAX_SORT_KEYS = 4
KIND = "experiment"


def list_page(
    platform: Platform,
    principal: Principal,
    *,
    everyone: bool,
    where: str | None,
    sort: str | None,
    cursor: str | None,
    limit: int,
) -> Page[ExperimentItem]:
    """A page of all experiments, or of one's own and those shared with one; newest first unless `sort` says otherwise.

    InvalidInput where `where`, `sort` or `cursor` cannot be read.
    """
    condition = parse_filter(where) if where else None
    order = parse_sort(sort) if sort else NEWEST_FIRST
    if len(order) > MAX_SORT_KEYS:
        raise InvalidInput(
            say("a list is sorted by at most {max_sort_keys} columns", max_sort_keys=MAX_SORT_KEYS),
            code="filter.invalid",
        )
    scope = f"experiments {everyone or principal.username!r} {where!r} {order}"
    after = decode_cursor(cursor, scope, experiments.sort_kinds(order)) if cursor else None
    with platform.installation.database.read() as session:
        found = experiments.page(
            session,
            condition,
            order,
            after=after,
            limit=limit,
            readable_by=None if everyone else principal.username,
        )
        items = [_item(one) for one in found.items]
    return Page(items=items, total=found.total, next=encode_cursor(scope, found.last) if found.last else None)


def _item(record: ListedExperiment) -> ExperimentItem:
    return ExperimentItem.model_validate(summary(record))


def show(platform: Platform, principal: Principal, name: str) -> ExperimentView:
    """One experiment in full; NotFound where there is none the principal may see."""
    with platform.installation.database.read() as session:
        record = readable(session, principal, name)
        return ExperimentView.model_validate(describe(session, record) | _allowed(platform, session, principal, record))


def _allowed(platform: Platform, session: Session, principal: Principal, record: ExperimentRecord) -> dict[str, bool]:
    """What somebody who may see a run may do with it, and see of what it came from."""
    is_writer = holds(principal.role, Permission.EXPERIMENT_WRITE)
    data = parse(record.summary.data_name or "")
    return {
        "may_change": is_writer and may_change(principal, record.experiment.owner),
        "may_read_task": record.task is not None and may_read(principal, record.task.owner),
        "may_read_data": data is not None and _may_read_data(platform, session, principal, data[0]),
    }


def _may_read_data(platform: Platform, session: Session, principal: Principal, name: str) -> bool:
    try:
        find(session, platform.installation.results_dir, principal, name)
    except NotFound:
        return False
    return True


def points(platform: Platform, principal: Principal, name: str, wanted: WantedPoints) -> MetricSeries:
    """What a run reported; NotFound where there is none the principal may see."""
    with platform.installation.database.read() as session:
        return series(session, readable(session, principal, name).experiment.id, wanted)


def compare(platform: Platform, principal: Principal, names: Sequence[str]) -> Comparison:
    """Where runs differ; NotFound for the first that the principal may not see."""
    different = list(dict.fromkeys(names))
    if not 2 <= len(different) <= MAX_COMPARED:
        raise InvalidInput(
            say("{different} runs cannot be compared", different=len(different)),
            hint=say("name 2 to {max_compared} different runs", max_compared=MAX_COMPARED),
        )
    with platform.installation.database.read() as session:
        views = [describe(session, readable(session, principal, name)) for name in different]
    return Comparison.model_validate(differences(views))


def readable(session: Session, principal: Principal, name: str) -> ExperimentRecord:
    """The experiment called so; NotFound unless the principal may see it."""
    record = experiments.get(session, name) if re.fullmatch(RUN_NAME_PATTERN, name) else None
    if record is None:
        raise NotFound(_unknown(name), hint=_HINT)
    owner = record.experiment.owner
    if not may_read(principal, owner) and not shares.is_shared(session, KIND, name, principal.username):
        raise Hidden(_unknown(name), hint=_HINT, resource=f"{KIND}:{name}")
    return record


def changeable(session: Session, principal: Principal, name: str) -> ExperimentRecord:
    """The experiment called so; NotFound unless the principal may see it, Forbidden unless it may change it."""
    record = readable(session, principal, name)
    if not may_change(principal, record.experiment.owner):
        raise Forbidden(say("experiment {name!r} is shared with you for reading", name=name), hint="ask its owner")
    return record


_HINT = say("`GET /me/experiments` lists yours")


def _unknown(name: str) -> str:
    return say("there is no experiment {name!r}", name=name[:100])


def describe_deletion(platform: Platform, principal: Principal, name: str) -> Deletion:
    """First step of deleting: what would go. Conflict while the run waits for its turn or is being written."""
    with platform.installation.database.read() as session:
        record = changeable(session, principal, name)
        run = _deletable(platform, record)
        return Deletion(
            name=name,
            size_bytes=tree_size(run.path) if run.path.is_dir() else 0,
            num_checkpoints=len(metrics.checkpoints(session, record.experiment.id)),
            shared_with=[share.grantee for share in shares.of(session, KIND, name)],
            confirm=name,
        )


def delete(platform: Platform, caller: Caller, name: str, confirm: str | None) -> None:
    """Second step: remove rows, shares and directory. InvalidInput where `confirm` does not repeat the name."""
    principal = caller.account
    with platform.installation.database.read() as session:
        record = changeable(session, principal, name)
    if confirm != name:
        raise InvalidInput(
            "deleting takes the files away for good, so it asks for a confirmation",
            hint=say("`GET /experiments/{name}/deletion` says what would go; then send `?confirm={name}`", name=name),
            code="confirm.missing",
        )
    with removing(platform.installation, record) as session:
        record = changeable(session, principal, name)
        _deletable(platform, record)
        experiments.delete(session, record.experiment.id)
        shares.remove(session, KIND, name)
        platform.audit.append(
            session, caller, "experiment.delete", f"{KIND}:{name}", details={"owner": record.experiment.owner}
        )


def assign(platform: Platform, caller: Caller, name: str, owner: str | None) -> ExperimentItem:
    """Make somebody the owner of a run; None takes it from everybody. NotFound for a run or an account unknown."""
    with platform.installation.database.write() as session:
        record = changeable(session, caller.account, name)
        if owner is not None and users.get(session, owner) is None:
            raise NotFound(say("there is no account {owner!r}", owner=owner), hint="`GET /users` lists them")
        before = record.experiment.owner
        experiments.set_owner(session, record.experiment.id, owner)
        platform.audit.append(
            session, caller, "experiment.assign", f"{KIND}:{name}", details={"from": before, "to": owner}
        )
    with platform.installation.database.read() as session:
        return _item(readable(session, caller.account, name).summary)


def _deletable(platform: Platform, record: ExperimentRecord) -> RunDirectory:
    name, state = record.experiment.name, record.summary.state
    run = RunDirectory(platform.installation.results_dir / record.experiment.run_dir)
    if state is not None and not TaskState(state).is_final:
        raise Conflict(
            say("experiment {name!r} is {state}", name=name, state=state),
            hint="cancel its task first",
            code="run.locked",
        )
    if run.path.is_dir() and is_locked(run):
        raise Conflict(
            say("experiment {name!r} is being written", name=name), hint="try again in a moment", code="run.locked"
        )
    return run

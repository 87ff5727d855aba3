"""Where tasks stand, for whoever may see them."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.auth.permissions import may_read
from app.db.repositories import metrics, task_lists
from app.db.repositories.task_lists import TaskRecord
from app.db.session import Session
from app.db.tables import TaskRow
from app.domain.errors import Hidden, NotFound
from app.domain.principal import Principal
from app.domain.task import Stage, TaskKind, TaskState
from app.domain.wording import say
from app.runs.directory import RunDirectory
from app.runs.work import work_directory
from app.schemas.paging import Page
from app.schemas.tasks import RunResult, TaskError, TaskItem, TaskView
from app.services.paging import decode_cursor, encode_cursor
from app.services.platform import Platform

_TASK_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOT_A_SCORE = ("epoch", "train_seconds")


def check_readable(platform: Platform, principal: Principal, task_id: str) -> None:
    """NotFound unless the task is the principal's, or the principal administers the installation."""
    owner = None
    if _TASK_ID.fullmatch(task_id):
        with platform.installation.database.read() as session:
            owner = task_lists.owner_of(session, task_id)
    if owner is None:
        raise _unknown(task_id)
    _check_owner(principal, task_id, owner[0])


def _check_owner(principal: Principal, task_id: str, owner: str | None) -> None:
    if not may_read(principal, owner):
        known = _unknown(task_id)
        raise Hidden(known.message, hint=known.hint, resource=f"task:{task_id}")


def _unknown(task_id: str) -> NotFound:
    return NotFound(say("there is no task {task_id!r}", task_id=task_id[:40]), hint="`GET /tasks` lists yours")


def get_record(session: Session, task_id: str) -> TaskRecord:
    """A task that was there when it was checked; NotFound when it has gone since."""
    record = task_lists.get(session, task_id)
    if record is None:
        raise _unknown(task_id)
    return record


def find_task(platform: Platform, task_id: str) -> TaskRecord:
    """As `get_record`, in a transaction of its own."""
    with platform.installation.database.read() as session:
        return get_record(session, task_id)


def directory_of(platform: Platform, record: TaskRecord) -> RunDirectory:
    """Where a task's work is done; it need not exist yet."""
    results_dir = platform.installation.results_dir
    if record.run_dir is not None:
        return RunDirectory(results_dir / record.run_dir)
    return work_directory(results_dir, TaskKind(record.task.kind), record.task.id)


def readable_view(platform: Platform, principal: Principal, task_id: str) -> TaskView:
    """Where a task stands; NotFound as `check_readable`, in the same transaction."""
    if not _TASK_ID.fullmatch(task_id):
        raise _unknown(task_id)
    with platform.installation.database.read() as session:
        record = get_record(session, task_id)
        _check_owner(principal, task_id, record.task.owner)
        return _view(session, record)


def task_view(platform: Platform, task_id: str) -> TaskView:
    """Where a task stands."""
    with platform.installation.database.read() as session:
        return _view(session, get_record(session, task_id))


def _view(session: Session, record: TaskRecord) -> TaskView:
    task = record.task
    values = dict(_newest_values(session, task.experiment_id)) if task.experiment_id is not None else {}
    return TaskView(
        task_id=task.id,
        kind=TaskKind(task.kind),
        experiment=record.experiment,
        status=TaskState(task.state),
        stage=Stage(task.stage),
        progress=task.progress,
        eta_seconds=task.eta_seconds,
        attempt=task.attempt,
        metrics=values,
        result=_result(record, values),
        error=_error(task),
        created_at=task.created_at,
        started_at=task.started_at,
        finished_at=task.finished_at,
    )


def list_page(
    platform: Platform,
    principal: Principal,
    *,
    everyone: bool,
    states: Sequence[TaskState],
    kind: TaskKind | None,
    cursor: str | None,
    limit: int,
) -> Page[TaskItem]:
    """A page of one's own tasks, or of everybody's, newest first."""
    owner = None if everyone else principal.username
    scope = f"tasks {owner!r} {sorted(states)} {kind}"
    after = decode_cursor(cursor, scope, (datetime, str)) if cursor else None
    with platform.installation.database.read() as session:
        found = task_lists.page(session, owner=owner, states=states, kind=kind, after=after, limit=limit)
    return Page(
        items=[_item(record) for record in found.items],
        total=found.total,
        next=encode_cursor(scope, found.last) if found.last else None,
    )


def _item(record: TaskRecord) -> TaskItem:
    task = record.task
    return TaskItem(
        task_id=task.id,
        kind=TaskKind(task.kind),
        experiment=record.experiment,
        owner=task.owner,
        status=TaskState(task.state),
        stage=Stage(task.stage),
        progress=task.progress,
        eta_seconds=task.eta_seconds,
        attempt=task.attempt,
        priority=task.priority,
        error=_error(task),
        created_at=task.created_at,
        started_at=task.started_at,
        finished_at=task.finished_at,
    )


def _newest_values(session: Session, experiment_id: int) -> Iterator[tuple[str, float]]:
    """What was measured last, by the names transformers logs it under."""
    reported = metrics.newest_point(session, experiment_id, "step")
    if reported is not None:
        step, values = reported
        yield from _numbers({"step": step, **values})
    final = metrics.evaluations(session, experiment_id)
    if "eval" not in final and (reported := metrics.newest_point(session, experiment_id, "eval")) is not None:
        _step, values = reported
        yield from _numbers({name: value for name, value in values.items() if name not in _NOT_A_SCORE}, "eval_")
    for split, scores in final.items():
        yield from _numbers(scores, f"{split}_")


def _numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            yield prefix + name, value


def _result(record: TaskRecord, values: Mapping[str, float]) -> RunResult | dict[str, Any] | None:
    if record.experiment is None:
        return record.task.result  # of a data set that is refused: what was found in it
    if record.task.state != TaskState.SUCCESS:
        return None
    name = record.experiment
    return RunResult(run=name, accuracy=values.get("eval_accuracy"), artifacts=f"/experiments/{name}/artifacts")


def _error(task: TaskRow) -> TaskError | None:
    if task.error_code is None:
        return None
    return TaskError(code=task.error_code, detail=task.error_detail, retryable=task.retryable)

"""Accept background work, cancel it, let it go on: checked first, recorded in one transaction, sent afterwards.

Whether the message arrives does not matter: the task's row is the truth, and the sweeper sends again what got lost.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.auth import permissions
from app.auth.permissions import Permission
from app.db.repositories import experiments, task_queue, tasks
from app.db.session import Session
from app.domain.errors import Conflict, InvalidInput, NotFound
from app.domain.principal import Caller, Principal
from app.domain.task import TaskKind, TaskState
from app.domain.train_config import TrainConfig
from app.domain.wording import say
from app.runs.directory import check_run_name
from app.services import dispatch, quotas, storage_quota, uploads
from app.services.admission import Admitted, admit
from app.services.platform import Platform
from app.services.uploads import removed_with, upload_of

MAX_PRIORITY = 100
NAMES_TRIED = 10_000


@dataclass(frozen=True)
class Submitted:
    """A training that was accepted; `experiment` is the name of its run."""

    task_id: str
    experiment: str


def submit_training(
    platform: Platform, caller: Caller, config: TrainConfig, *, name: str | None = None, priority: int = 0
) -> Submitted:
    """Accept a training: experiment, waiting task and audit event are there together or not at all.

    ConfigError with `places`, DataBlocked, QuotaExceeded, Forbidden, or Conflict where `name` is taken; nothing is
    made then.
    """
    principal = _allowed(caller, Permission.TRAIN)
    _check_priority(principal, priority)
    if name is not None:
        check_run_name(name)
    admitted = admit(platform, caller, config)
    with platform.installation.database.write() as session:
        quotas.check_queue(session, platform.settings, principal.username)
        storage_quota.check(session, platform.settings, principal.username, 0)
        run = _free_name(session, platform.installation.results_dir, config.experiment_name, name)
        task_id = _record(session, platform, caller, admitted, run, priority)
    dispatch.wake(platform, task_id, TaskKind.TRAIN)
    return Submitted(task_id, run)


def submit_plan(platform: Platform, caller: Caller, config: TrainConfig) -> str:
    """Accept the work of resolving a plan on a worker's hardware; the task's id. Refuses what a training would be."""
    _allowed(caller, Permission.TRAIN)
    admitted = admit(platform, caller, config, TaskKind.PLAN)
    payload = {"config": admitted.config.as_dict()}
    return submit_work(
        platform, caller, TaskKind.PLAN, payload, memory_bytes=admitted.memory_bytes, device=admitted.device
    )


def submit_work(
    platform: Platform,
    caller: Caller,
    kind: TaskKind,
    payload: Mapping[str, Any],
    *,
    memory_bytes: int | None = None,
    device: str | None = None,
    task_id: str | None = None,
) -> str:
    """Accept work that is no training, whose `payload` was checked by whoever offers it; the task's id.

    `task_id` is given where something has to know it before.
    """
    principal = caller.account
    with platform.installation.database.write() as session:
        quotas.check_queue(session, platform.settings, principal.username)
        needs = {"memory_bytes": memory_bytes, "device": device}
        made = tasks.create(session, kind, principal.username, payload=dict(payload), task_id=task_id, **needs)
        platform.audit.append(session, caller, f"{kind}.submit", f"task:{made}", "success", {"kind": kind})
    dispatch.wake(platform, made, kind)
    return made


def cancel(platform: Platform, caller: Caller, task_id: str) -> None:
    """Stop a task: at once where it waits, within seconds where it runs, which saves first.

    Files that were to become a data set are removed with it. Conflict where it has ended already. Whose it is was
    checked before.
    """
    with platform.installation.database.write() as session:
        task = tasks.get(session, task_id)
        if task is None:
            raise _unknown(task_id)
        if task.state == TaskState.STARTED and not task.is_queued:
            raise Conflict(
                say("task {task_id} runs on somebody's command line", task_id=task_id),
                hint="stop it there with Ctrl-C",
                code="task.not_queued",
            )
        before = task.state
        state = tasks.request_cancel(session, task_id)
        if state is None:
            raise Conflict(
                say("task {task_id} has ended already: {state}", task_id=task_id, state=task.state),
                hint="there is nothing to cancel",
                code="task.ended",
            )
        gone = removed_with(task) if state is TaskState.REVOKED else None
        if gone:
            uploads.forget(session, platform.settings, gone)
        details = {"kind": task.kind, "was": before, "state": state.value}
        platform.audit.append(session, caller, "task.cancel", f"task:{task_id}", "success", details)
    if gone:
        uploads.remove_files(platform.settings, gone)


def retry(platform: Platform, caller: Caller, task_id: str) -> None:
    """Let a stopped or failed task go on, a training from its last good checkpoint.

    Conflict for any other, and where the files it reads are gone.
    """
    principal = caller.account
    with platform.installation.database.write() as session:
        task = tasks.get(session, task_id)
        if task is None:
            raise _unknown(task_id)
        quotas.check_queue(session, platform.settings, task.owner or principal.username)
        before, kind = task.state, TaskKind(task.kind)
        if not tasks.reopen(session, task_id, is_queued=True, enqueued_at=None):
            raise Conflict(
                say(
                    "task {task_id} is {before}: only one that failed or was stopped can go on",
                    task_id=task_id,
                    before=before,
                ),
                hint="submit it anew" if before == TaskState.SUCCESS else "cancel it first",
                code="task.not_ended" if before != TaskState.SUCCESS else "task.succeeded",
            )
        if (upload := upload_of(task)) and not uploads.is_here(session, platform.settings, upload):
            raise Conflict(
                say("the files of task {task_id} are not here any more", task_id=task_id),
                hint="send them again",
                code="upload.gone",
            )
        details = {"kind": kind.value, "was": before}
        platform.audit.append(session, caller, "task.retry", f"task:{task_id}", "success", details)
    dispatch.wake(platform, task_id, kind)


def _allowed(caller: Caller, permission: Permission) -> Principal:
    principal = caller.account
    permissions.check(principal, permission)
    return principal


def _check_priority(principal: Principal, priority: int) -> None:
    """Anybody may put work behind that of others; before it, administrators alone."""
    highest = MAX_PRIORITY if principal.is_admin else 0
    if not -MAX_PRIORITY <= priority <= highest:
        raise InvalidInput(
            say("priority {priority} is not allowed", priority=priority),
            hint=say("from {lowest} to {highest}; higher ones come first", lowest=-MAX_PRIORITY, highest=highest),
            code="priority.not_allowed",
        )


def _record(session: Session, platform: Platform, caller: Caller, admitted: Admitted, run: str, priority: int) -> str:
    principal, config, train = caller.account, admitted.config, admitted.versions["train"]
    _, task_id = experiments.create(
        session,
        name=run,
        experiment_name=config.experiment_name,
        owner=principal.username,
        config=config.as_dict(),
        base_model=config.model.name,
        data_name=str(train),
        data_version=train.version,
        seed=config.training.seed,
        run_dir=run,
    )
    tasks.put_in_queue(session, task_id, priority=priority, memory_bytes=admitted.memory_bytes, device=admitted.device)
    details = {"experiment": run, "data": str(train), "base_model": config.model.name}
    platform.audit.append(session, caller, "train.submit", f"task:{task_id}", "success", details)
    return task_id


def _free_name(session: Session, results_dir: Path, experiment_name: str, name: str | None) -> str:
    """The name asked for, Conflict where it is taken; else the next free `<experiment_name>-<NNN>`."""
    if name is not None:
        if _is_taken(session, results_dir, name):
            raise Conflict(
                say("a run named {name!r} exists already", name=name), hint="choose another name", code="run.exists"
            )
        return name
    for candidate in _numbered(task_queue.newest_runs(session, experiment_name), experiment_name):
        check_run_name(candidate)
        if not _is_taken(session, results_dir, candidate):
            return candidate
    raise Conflict(
        say("all names of {experiment_name!r} are taken", experiment_name=experiment_name),
        hint="choose another experiment_name",
    )


def _numbered(known: list[str], experiment_name: str) -> Iterator[str]:
    pattern = re.compile(re.escape(experiment_name) + r"-(\d{3,})")
    highest = max((int(match[1]) for run in known if (match := pattern.fullmatch(run))), default=0)
    return (f"{experiment_name}-{number:03d}" for number in range(highest + 1, highest + 1 + NAMES_TRIED))


def _is_taken(session: Session, results_dir: Path, name: str) -> bool:
    return task_queue.is_run(session, name) or (results_dir / name).exists()


def _unknown(task_id: str) -> NotFound:
    return NotFound(say("there is no task {task_id!r}", task_id=task_id[:40]), hint="`GET /tasks` lists yours")

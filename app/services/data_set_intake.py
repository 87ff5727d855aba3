"""From files that were sent to a version of a data set, or to a report on them: at once, or as a task of a worker.

Whose name it becomes is decided before the files are read; rows are read by a child process alone.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from app.auth.permissions import may_change
from app.data import catalogue, versioning
from app.db.repositories import datasets, uploads
from app.db.session import Session
from app.db.tables import DatasetRow
from app.domain.base_models import CATALOG
from app.domain.data_reading import Reading
from app.domain.data_version import DATA_NAME_PATTERN
from app.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, PlatformError, QuotaExceeded
from app.domain.principal import Caller, Principal
from app.domain.task import TaskKind, TaskState
from app.domain.train_config import AUTO
from app.domain.wording import say
from app.schemas.datasets import AddForm, DatasetCreated, ValidatedFile, ValidateForm
from app.schemas.tasks import Accepted
from app.services import data_work, storage_quota, submission
from app.services.data_set_access import is_readable
from app.services.data_work import Bounds, Progress, Stopped, Work, no_progress
from app.services.platform import Platform
from app.services.uploads import Upload, directory_of, discard

IN_BACKGROUND_BYTES = 5_000_000
"""Larger files are checked by a worker: it takes longer than somebody waits for an answer."""
MAX_TASK_MEMORY_BYTES = 8 * 2**30
_SPLIT_OF = {"file": "train", "eval_file": "eval", "test_file": "test"}
FILE_FIELDS = tuple(_SPLIT_OF)
"""The fields of the form that are files; the first one is needed."""


def add(
    platform: Platform, caller: Caller, upload: Upload, form: AddForm, *, respond_async: bool, stopped: Stopped
) -> tuple[int, DatasetCreated | Accepted]:
    """Make the files the next version of a name: 201 and what it is, 200 where it was there, 202 for later.

    Conflict where the name is somebody else's, DataBlocked where a finding blocks.
    """
    fields = {"data": _data(upload, form), "name": form.name, "seed": form.seed, **_fixes(form)}
    details = {"files": {field: file.shown for field, file in upload.files.items()}, "bytes": upload.received_bytes}
    with platform.installation.database.write() as session:
        _claim(session, platform, caller, form.name)
        uploads.change(session, upload.id, dataset=form.name, state=uploads.CHECKING, filename=_shown(upload))
        platform.audit.append(session, caller, "dataset.create", f"dataset:{form.name}", "started", details)
    try:
        if is_for_a_worker(upload, respond_async=respond_async):
            return 202, _submit(platform, caller, upload, "add", fields)
        created = _store(platform, caller, _work("add", platform, upload, fields), upload.id, stopped)
    except PlatformError as error:
        _record_failure(platform, caller, form.name, error)
        raise
    return (201 if created.is_new else 200), created


def validate(
    platform: Platform, caller: Caller, upload: Upload, form: ValidateForm, *, respond_async: bool, stopped: Stopped
) -> tuple[int, ValidatedFile | Accepted]:
    """Say what is in the files and store nothing: 200, or 202 for later; findings that block are no error here."""
    fields = {
        "data": _data(upload, form),
        "base_model": _known_model(form.base_model),
        "max_length": form.max_length,
        **_fixes(form),
    }
    if is_for_a_worker(upload, respond_async=respond_async):
        return 202, _submit(platform, caller, upload, "validate", fields)
    return 200, ValidatedFile.model_validate(data_work.run(_work("validate", platform, upload, fields), stopped))


def is_for_a_worker(upload: Upload, *, respond_async: bool) -> bool:
    """Whether files are checked by a worker, not while their sender waits."""
    return respond_async or upload.received_bytes > IN_BACKGROUND_BYTES


def longest(upload: Upload, *, respond_async: bool) -> timedelta:
    """How long `add` and `validate` can take at most, some time to record it included."""
    is_left_to_a_worker = is_for_a_worker(upload, respond_async=respond_async)
    return timedelta(seconds=60 + (0 if is_left_to_a_worker else Bounds().seconds))


def accepted_before(effects: Sequence[str]) -> tuple[int, Accepted] | None:
    """The answer of an earlier request that left its files to a worker, by what it changed (`task:ID`)."""
    tasks = [resource.removeprefix("task:") for resource in effects if resource.startswith("task:")]
    return (202, Accepted(task_id=tasks[0], experiment=None, status=TaskState.PENDING)) if tasks else None


def run_task(
    platform: Platform,
    caller: Caller,
    payload: Mapping[str, Any],
    stopped: Stopped,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """What a worker does for a task of kind DATASET: the body that would have been the answer at once.

    `caller` is whoever submitted it. The files are gone after an error, but not where it is `retryable` or the work was
    stopped; after a success `let_go` removes them.
    """
    upload_id, fields = str(payload["upload"]), payload["fields"]
    directory = directory_of(platform.settings, upload_id)
    if not directory.is_dir():
        raise NotFound("the files of this task are not here any more", hint="send them again", code="upload.gone")
    bounds = bounds_of_task(payload["bytes"])
    work = Work(payload["action"], platform.settings.results_dir, directory, fields, payload["shown_as"], bounds)
    try:
        if work.action == "add":
            result = _store(platform, caller, work, upload_id, stopped, progress).model_dump(mode="json")
        else:
            result = data_work.run(work, stopped, progress)
    except PlatformError as error:
        if error.retryable:
            raise
        if work.action == "add":
            _record_failure(platform, caller, fields["name"], error)
        discard(platform, upload_id)
        raise
    return result


def let_go(platform: Platform, payload: Mapping[str, Any]) -> None:
    """Remove the files of a task that has succeeded."""
    discard(platform, str(payload["upload"]))


def bounds_of_task(num_bytes: int) -> Bounds:
    """What checking so many bytes may take; six gigabytes were seen to take 0.9 GB of memory and 20 minutes."""
    memory = min(MAX_TASK_MEMORY_BYTES, 1536 * 2**20 + num_bytes)
    seconds = 1800 + num_bytes // 200_000
    return Bounds(memory_bytes=memory, seconds=2 * seconds, cpu_seconds=seconds, file_bytes=17 * 2**30)


def _work(action: str, platform: Platform, upload: Upload, fields: Mapping[str, Any]) -> Work:
    return Work(action, platform.settings.results_dir, upload.directory, fields, upload.shown_as)


def _principal(caller: Caller) -> Principal:
    assert caller.principal is not None, "the route asks for a sign-in"
    return caller.principal


def check_name(platform: Platform, caller: Caller, name: str) -> None:
    """Refuse a name that somebody may not store under, before its files are sent; raises as `add` would.

    What cannot be a name is passed over: the form is refused for it, with all that is wrong with it.
    """
    if not re.fullmatch(DATA_NAME_PATTERN, name):
        return
    with platform.installation.database.read() as session:
        _check_claim(session, platform, _principal(caller), name)


def _claim(session: Session, platform: Platform, caller: Caller, name: str) -> None:
    """Make the name the caller's where it was nobody's; Conflict where it is another's and not to be seen."""
    principal = _principal(caller)
    if _check_claim(session, platform, principal, name) is None:
        is_made_here = bool(catalogue.entries(platform.settings.results_dir, name))
        datasets.claim(session, name, None if is_made_here else principal.username)


def _check_claim(session: Session, platform: Platform, principal: Principal, name: str) -> DatasetRow | None:
    """The data set of a name somebody may store under, None where it has no owner yet."""
    taken = Conflict(
        say("the name {name!r} is taken", name=name),
        hint="choose another; a name is taken for the whole installation",
        code="dataset.name_taken",
    )
    row = datasets.get(session, name)
    if row is None:
        is_made_here = bool(catalogue.entries(platform.settings.results_dir, name))
        # Where the system does not tell capitals apart, lookalikes would share a directory.
        if datasets.has_lookalike(session, name) or (is_made_here and not principal.is_admin):
            raise taken
    elif not may_change(principal, row.owner):
        if is_readable(session, principal, name, row.owner):
            raise Forbidden(
                say("only its owner and administrators add versions to {name!r}", name=name),
                hint="store it under a name of your own",
            )
        raise taken
    return row


def _submit(platform: Platform, caller: Caller, upload: Upload, action: str, fields: Mapping[str, Any]) -> Accepted:
    """Leave the upload to a worker."""
    payload = {
        "action": action,
        "upload": upload.id,
        "bytes": upload.received_bytes,
        "fields": dict(fields),
        "shown_as": upload.shown_as,
    }
    with platform.installation.database.write() as session:
        uploads.change(session, upload.id, state=uploads.QUEUED, filename=_shown(upload))
    memory = bounds_of_task(upload.received_bytes).memory_bytes
    task_id = submission.submit_work(platform, caller, TaskKind.DATASET, payload, memory_bytes=memory)
    upload.is_handed_over = True
    with platform.installation.database.write() as session:
        uploads.change(session, upload.id, task_id=task_id)
    return Accepted(task_id=task_id, experiment=None, status=TaskState.PENDING)


def _store(
    platform: Platform,
    caller: Caller,
    work: Work,
    upload_id: str,
    stopped: Stopped,
    progress: Progress = no_progress,
) -> DatasetCreated:
    """Let the child check and store files whose name was claimed, then count and record what was stored."""
    created = DatasetCreated.model_validate(data_work.run(work, stopped, progress))
    details = {"version": created.version, "content": created.content, "rows": created.rows}
    try:
        with platform.installation.database.write() as session:
            _count(session, platform, created.name, upload_id)
            platform.audit.append(session, caller, "dataset.create", f"dataset:{created.name}", "success", details)
    except QuotaExceeded:
        if created.is_new:
            catalogue.remove(work.results_dir, catalogue.find(work.results_dir, created.reference))
        raise
    return created


def _count(session: Session, platform: Platform, name: str, upload_id: str) -> None:
    """Let what is stored count towards its owner's limit, in place of what was sent; QuotaExceeded above it."""
    upload, row = uploads.get(session, upload_id), datasets.get_locked(session, name)
    if row is None:
        row = datasets.claim(session, name, upload.owner if upload else None)
    measured = measured_bytes(platform, name)
    uploads.remove(session, upload_id)
    if row.owner is not None and measured > row.stored_bytes:
        storage_quota.check(session, platform.settings, row.owner, measured - row.stored_bytes)
    row.stored_bytes = measured


def measured_bytes(platform: Platform, name: str) -> int:
    """What all versions of a name take on the disk."""
    results_dir = platform.settings.results_dir
    return versioning.stored_bytes((entry.version for entry in catalogue.entries(results_dir, name)), results_dir)


def _record_failure(platform: Platform, caller: Caller, name: str, error: PlatformError) -> None:
    platform.audit.append_now(caller, "dataset.create", f"dataset:{name}", "failed", {"code": error.code})


def _data(upload: Upload, form: AddForm | ValidateForm) -> dict[str, Any]:
    """The `data` part of a configuration that names the files."""
    if FILE_FIELDS[0] not in upload.files:
        raise InvalidInput(
            "the form has no file", hint=say("send one as the field {file_fields!r}", file_fields=FILE_FIELDS[0])
        )
    sources = {_SPLIT_OF[field]: file.name for field, file in upload.files.items()}
    keys = {"text_column", "label_column", "allow", "block", "eval_fraction"}
    reading = form.model_dump(include=set(Reading.model_fields), exclude_defaults=True)
    return {**sources, **form.model_dump(include=keys), "reading": reading}


def _fixes(form: AddForm | ValidateForm) -> dict[str, Any]:
    """How the training file is to be mended; InvalidInput where that cannot be asked for."""
    if not form.fix and (form.drop or form.mask):
        raise InvalidInput("drop and mask go with fix", hint="set fix too: what was sent is never changed itself")
    return form.model_dump(include={"fix", "drop", "mask"})


def _known_model(name: str | None) -> str | None:
    """A base model by its short name alone: no path of the server, nothing that would be fetched."""
    if name in (None, "none"):
        return None
    if name not in (AUTO, *CATALOG):
        raise InvalidInput(
            say("base_model: there is none called {name!r}", name=name),
            hint=say("one of {catalog}, auto or none", catalog=", ".join(CATALOG)),
        )
    return name


def _shown(upload: Upload) -> str:
    return upload.files[FILE_FIELDS[0]].shown

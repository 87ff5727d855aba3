"""Label every row of a file that was sent with a finished run: accepted here, done by a worker, fetched here."""

import uuid
from pathlib import PurePath

from pydantic import ValidationError

from app.db.repositories import tasks, uploads
from app.domain import footprint
from app.domain.errors import Conflict, InvalidInput, NotFound, StorageError
from app.domain.principal import Caller
from app.domain.task import TaskKind, TaskState
from app.domain.wording import say
from app.runs.directory import RunDirectory
from app.runs.work import work_directory
from app.schemas.predictions import PredictForm, PredictionResult
from app.schemas.tasks import Accepted
from app.services import submission
from app.services.artifacts import Download
from app.services.experiment_views import readable
from app.services.platform import Platform
from app.services.uploads import Upload

FILE_FIELD = "file"


def submit(platform: Platform, caller: Caller, upload: Upload, form: PredictForm) -> Accepted:
    """Leave the file to a worker; NotFound for a run the caller may not see, Conflict for one that is not finished."""
    with platform.installation.database.read() as session:
        record = readable(session, caller.account, form.run)
    run = RunDirectory(platform.installation.results_dir / record.experiment.run_dir)
    if not run.is_complete:
        raise Conflict(
            say("run {run!r} has not finished", run=form.run), hint="wait until it has succeeded", code="run.incomplete"
        )
    if FILE_FIELD not in upload.files:
        raise InvalidInput(
            "the form has no file", hint=say("send one as the field {file_field!r}", file_field=FILE_FIELD)
        )
    file = upload.files[FILE_FIELD]
    payload = {
        "run": run.name,
        "source": f"{platform.settings.uploads_dir.name}/{upload.id}/{file.name}",
        "upload": upload.id,
        "shown": file.shown,
        "text_column": form.text_column,
    }
    task_id = str(uuid.uuid4())
    with platform.installation.database.write() as session:
        uploads.change(session, upload.id, state=uploads.QUEUED, filename=file.shown, task_id=task_id)
    size = footprint.KNOWN_SIZES.get(record.experiment.base_model, footprint.UNKNOWN_SIZE)
    memory = footprint.estimate_prediction_bytes(size)
    submission.submit_work(platform, caller, TaskKind.PREDICT, payload, memory_bytes=memory, task_id=task_id)
    upload.is_handed_over = True
    return Accepted(task_id=task_id, experiment=None, status=TaskState.PENDING)


def download(platform: Platform, caller: Caller, task_id: str) -> Download:
    """The labelled file; Conflict before it is done. Whose it is was checked before."""
    with platform.installation.database.read() as session:
        task = tasks.get(session, task_id)
    if task is None or task.kind != TaskKind.PREDICT:
        raise NotFound(
            say("task {task_id} is no prediction", task_id=task_id), hint="`GET /tasks?kind=predict` lists yours"
        )
    if task.state != TaskState.SUCCESS:
        raise Conflict(
            say("task {task_id} is {state}: there is no file yet", task_id=task_id, state=task.state),
            hint="wait for SUCCESS",
            code="prediction.not_done",
        )
    try:
        result = PredictionResult.model_validate(task.result)
    except ValidationError as error:
        raise StorageError(
            say("the result of task {task_id} cannot be read", task_id=task_id), code="storage.unreadable"
        ) from error
    path = work_directory(platform.installation.results_dir, TaskKind.PREDICT, task_id).path / result.file
    if not path.is_file():
        raise NotFound(
            say("the file of task {task_id} is not here any more", task_id=task_id),
            hint="predict again",
            code="prediction.gone",
        )
    details = {"run": result.run, "rows": result.rows, "bytes": result.bytes}
    platform.audit.append_now(caller, "prediction.download", f"task:{task_id}", "success", details)
    shown = PurePath(str((task.payload or {}).get("shown") or "file")).name.split(".")[0]
    return Download(path, f"{shown}-predictions{path.suffix}", result.sha256)

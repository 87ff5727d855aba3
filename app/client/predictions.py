"""Labels for every row of a file: a task of a worker, whose file is fetched when it is done."""

from pathlib import Path

from app.client.endpoint import Call, Endpoint, Noun, endpoint
from app.client.transfers import UPLOAD_TIMEOUT, Progress, download, form_with_files, silent
from app.schemas.predictions import PredictForm
from app.schemas.tasks import Accepted


class Predictions(Noun):
    """`/predictions`. Wait for the task, then fetch its file."""

    @endpoint("POST", "/predictions")
    def submit(
        self, at: Endpoint, form: PredictForm, file: Path, *, progress: Progress = silent, key: str | None = None
    ) -> Accepted:
        """Let a worker label the rows of a file with a finished run; `key` is as in `Training.submit`."""
        call = at().once(key)
        with form_with_files(form.model_dump(), {"file": file}, progress) as body:
            return call.with_(body=body, timeout=UPLOAD_TIMEOUT).as_(Accepted)

    @endpoint("GET", "/predictions/{task_id}")
    def _file(self, at: Endpoint, task_id: str) -> Call:
        return at(task_id=task_id)

    def download(self, task_id: str, target: Path, *, sha256: str | None = None, progress: Progress = silent) -> Path:
        """Fetch the labelled file into a new one; Conflict before it is done.

        `sha256` is what the task's result says it must have.
        """
        return download(self._file(task_id), target, sha256=sha256, progress=progress)

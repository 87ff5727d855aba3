"""People who use a site over HTTP while it breaks: they submit, change their mind, try again as long as they must, and
note what was accepted and what shall become of it."""

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from app.client import Client
from app.client.datasets import Files
from app.client.retrying import Retrying
from app.client.sign_in import WithApiKey
from app.domain.errors import AuditUnavailable, Conflict, PlatformError, ServiceUnavailable, StorageError
from app.domain.task import TaskState
from app.schemas.datasets import AddForm, ValidateForm
from app.schemas.predictions import PredictForm
from app.schemas.tasks import Accepted
from tests.tasks.conftest import SECONDS

PASSWORD = "a quiet river at dusk"
COMES_BACK = (ServiceUnavailable, StorageError, AuditUnavailable)
"""Answers that say: not now. Any other error is one a visitor must not see."""
GOES_ON = ("task.not_ended", "task.succeeded")
"""Why a task cannot be retried whose retry was accepted, but the answer lost."""
CHECK, UPLOAD, PREDICT = "check", "upload", "predict"
Answer = TypeVar("Answer")


@dataclass
class Job:
    """A task that was accepted and the state it shall end in; tasks of the same `work` shall have the same outcome.

    `is_minded` says that somebody changes their mind about it, or has done so for good.
    """

    task_id: str
    work: str
    expected: TaskState = TaskState.SUCCESS
    is_minded: bool = False

    @property
    def may_be_cancelled(self) -> bool:
        """Whether it keeps what it has done, and nobody has changed their mind about it already."""
        return self.work not in (CHECK, UPLOAD) and not self.is_minded


@dataclass
class Visitors:
    """One account; `recipes` are configurations of trainings by the name of the work, `data` a file to be checked and
    stored in the background, `texts` one whose rows are labelled with `run`, once that has finished."""

    url: str
    recipes: dict[str, dict[str, Any]]
    data: Path
    texts: Path
    run: str = ""
    jobs: list[Job] = field(default_factory=list)
    asked_again: int = 0

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=5)
        self._asking: list[Future[Any]] = []
        self._writing = threading.Lock()
        self._client = Client(self.url, retrying=Retrying(attempts=1))

    def sign_in(self, username: str) -> None:
        """Be somebody from now on, by a key that lasts."""
        with Client(self.url) as client:
            self._until_answered(lambda: client.sign_in(username, PASSWORD))
            key = self._until_answered(lambda: client.api_keys.create(f"chaos-{uuid.uuid4().hex[:8]}")).key
        assert key is not None
        self._client.connection.sign_in = WithApiKey(SecretStr(key))

    def train(self, recipe: str) -> "Future[Job]":
        """Submit a training, in the background; as of all that is submitted, one key for all times it is sent."""
        return self._submit(recipe, lambda key: self._client.train.submit(self.recipes[recipe], key=key))

    def check_data(self) -> "Future[Job]":
        """Have a file checked by a worker: work that is cheap."""
        form, files = ValidateForm(), Files(train=self.data)
        return self._submit(CHECK, lambda key: self._client.datasets.validate(form, files, later=True, key=key))

    def upload(self) -> "Future[Job]":
        """Store a file as a data set of a new name."""
        form, files = AddForm(name=f"sent-{uuid.uuid4().hex[:12]}"), Files(train=self.data)
        return self._submit(UPLOAD, lambda key: self._client.datasets.add(form, files, later=True, key=key))

    def predict(self) -> "Future[Job]":
        """Have the rows of a file labelled."""
        form = PredictForm(run=self.run)
        return self._submit(PREDICT, lambda key: self._client.predictions.submit(form, self.texts, key=key))

    def retry(self, task_id: str) -> "Future[None]":
        """Let a task that was given up go on, in the background."""
        return self._ask(lambda: self._retry(task_id))

    def change_mind(self, job: Job, back_after_seconds: float | None) -> "Future[None]":
        """Cancel a task and, a while after it was stopped, let it go on, or never; it may end before, of course."""

        def change() -> None:
            try:
                self._until_answered(lambda: self._client.tasks.cancel(job.task_id))
            except Conflict as error:
                if error.code != "task.ended":
                    raise
            while not (state := self._until_answered(lambda: self._client.tasks.show(job.task_id)).status).is_final:
                time.sleep(0.2)
            if state != TaskState.REVOKED:
                return
            if back_after_seconds is None:
                job.expected = TaskState.REVOKED
                return
            time.sleep(back_after_seconds)
            self._retry(job.task_id)
            job.is_minded = False

        job.is_minded = True
        return self._ask(change)

    def all_answered(self) -> bool:
        """Whether nobody waits for an answer; raises what a visitor should not have seen."""
        for asking in [one for one in self._asking if one.done()]:
            asking.result()
            self._asking.remove(asking)
        return not self._asking

    def leave(self) -> None:
        """Ask no more."""
        self._pool.shutdown(cancel_futures=True)
        self._client.close()

    def _submit(self, work: str, send: Callable[[str], Any]) -> "Future[Job]":
        key = uuid.uuid4().hex

        def submit() -> Job:
            accepted = self._until_answered(lambda: send(key))
            assert isinstance(accepted, Accepted)
            job = Job(accepted.task_id, work)
            with self._writing:
                self.jobs.append(job)
            return job

        return self._ask(submit)

    def _retry(self, task_id: str) -> None:
        try:
            self._until_answered(lambda: self._client.tasks.retry(task_id))
        except Conflict as error:
            if error.code not in GOES_ON:
                raise

    def _ask(self, work: Callable[[], Answer]) -> "Future[Answer]":
        asking = self._pool.submit(work)
        self._asking.append(asking)
        return asking

    def _until_answered(self, ask: Callable[[], Answer]) -> Answer:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return ask()
            except PlatformError as error:
                in_progress = isinstance(error, Conflict) and error.code == "idempotency.in_progress"
                if not (isinstance(error, COMES_BACK) or in_progress) or time.monotonic() > deadline:
                    raise
            self.asked_again += 1
            time.sleep(0.5)

"""People who use a site over HTTP while it breaks: they submit, try again as long as they must, and note what was
accepted."""

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
from app.schemas.datasets import ValidateForm
from tests.tasks.conftest import SECONDS

PASSWORD = "a quiet river at dusk"
COMES_BACK = (ServiceUnavailable, StorageError, AuditUnavailable)
"""Answers that say: not now. Any other error is one a visitor must not see."""
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Job:
    """A task that was accepted; `recipe` is the number of the training that it is, None for other work."""

    task_id: str
    recipe: int | None


@dataclass
class Visitors:
    """One account; `recipes` are configurations of trainings, `upload` a file to be checked in the background."""

    url: str
    recipes: list[dict[str, Any]]
    upload: Path
    jobs: list[Job] = field(default_factory=list)
    asked_again: int = 0

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=3)
        self._asking: list[Future[None]] = []
        self._writing = threading.Lock()
        self._client = Client(self.url, retrying=Retrying(attempts=1))

    def sign_in(self, username: str) -> None:
        """Be somebody from now on, by a key that lasts."""
        with Client(self.url) as client:
            self._until_answered(lambda: client.sign_in(username, PASSWORD))
            key = self._until_answered(lambda: client.api_keys.create(f"chaos-{uuid.uuid4().hex[:8]}")).key
        assert key is not None
        self._client.connection.sign_in = WithApiKey(SecretStr(key))

    def train(self, recipe: int) -> "Future[None]":
        """Submit a training, in the background; one key for all times it is sent."""
        key = uuid.uuid4().hex

        def submit() -> None:
            accepted = self._until_answered(lambda: self._client.train.submit(self.recipes[recipe], key=key))
            self._accepted(accepted.task_id, recipe)

        return self._ask(submit)

    def check_data(self) -> "Future[None]":
        """Have a file checked by a worker: work that is no training, and cheap."""

        def submit() -> None:
            files = Files(train=self.upload)
            answer = self._until_answered(lambda: self._client.datasets.validate(ValidateForm(), files, later=True))
            self._accepted(answer.task_id, None)

        return self._ask(submit)

    def retry(self, task_id: str) -> "Future[None]":
        """Let a task that was given up go on, in the background."""

        def retry() -> None:
            try:
                self._until_answered(lambda: self._client.tasks.retry(task_id))
            except Conflict as error:
                if error.code != "task.not_ended":
                    raise  # else an answer was lost, and it goes on already

        return self._ask(retry)

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

    def _ask(self, work: Callable[[], None]) -> "Future[None]":
        asking = self._pool.submit(work)
        self._asking.append(asking)
        return asking

    def _accepted(self, task_id: str, recipe: int | None) -> None:
        with self._writing:
            self.jobs.append(Job(task_id, recipe))

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

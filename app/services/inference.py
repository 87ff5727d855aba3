"""Ask the models of finished runs: who may ask which run, and the inference service, which has the models in memory.

The service is another process, since this one stays small; it checks for itself who asks.
"""

import ssl
from functools import cache
from ipaddress import ip_address
from typing import Literal, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from app.domain.errors import Conflict, ServiceUnavailable
from app.domain.principal import Principal
from app.runs.directory import RunDirectory
from app.schemas.inference import RunText
from app.schemas.problem import Problem
from app.services.experiment_views import readable
from app.services.platform import Platform

Answer = TypeVar("Answer", bound=BaseModel)
Question = Literal["/predict", "/explain"]

CODE = "inference.unavailable"
TIMEOUT = httpx.Timeout(connect=2.0, read=110.0, write=10.0, pool=5.0)
"""Seconds. The first question to a run waits until its model is loaded, and that of a process for its libraries too."""
MAX_AT_ONCE = 32
"""Questions on their way; more wait for `pool` seconds."""
_NOT_OURS = (401, 422)
"""Who asks and what is asked was checked before, so a service that refuses either is another installation's."""


class Refused(Exception):
    """The service said no, and why."""

    def __init__(self, problem: Problem, retry_after: str | None) -> None:
        super().__init__(problem.detail)
        self.problem, self.retry_after = problem, retry_after


def finished_run(platform: Platform, principal: Principal, name: str) -> RunDirectory:
    """The directory of a run that has finished; NotFound unless the principal may see it, Conflict before it has."""
    with platform.installation.database.read() as session:
        record = readable(session, principal, name)
    run = RunDirectory(platform.installation.results_dir / record.experiment.run_dir)
    if not run.is_complete:
        raise Conflict("this run has not finished", hint="wait until it has succeeded", code="run.incomplete")
    return run


class InferenceService:
    """The service at one address; whoever asks waits without a thread."""

    def __init__(self, url: str) -> None:
        self._url = httpx.URL(url)
        self._http: httpx.AsyncClient | None = None

    async def ask(self, question: Question, body: RunText, credential: str, kind: type[Answer]) -> Answer:
        """What it answers to the owner of an access token or API key.

        Refused where it says no; ServiceUnavailable where it does not answer, or is not that of this installation.
        """
        headers = {"Authorization": f"Bearer {credential}"}
        try:
            answer = await self._client().post(question, json=body.model_dump(), headers=headers)
        except httpx.TimeoutException as error:
            raise _unavailable("the models are busy, and did not answer in time") from error
        except httpx.HTTPError as error:
            raise _unavailable("the inference service does not answer") from error
        if answer.is_success:
            return _read(answer, kind)
        problem = _read(answer, Problem)
        if answer.status_code in _NOT_OURS and problem.code in ("request.invalid", "auth.required"):
            raise _unavailable("the inference service is not that of this installation")
        raise Refused(problem, answer.headers.get("retry-after"))

    async def close(self) -> None:
        """Give the sockets back."""
        if self._http is not None:
            await self._http.aclose()

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = httpx.AsyncClient(
                base_url=self._url,
                timeout=TIMEOUT,
                limits=httpx.Limits(max_connections=MAX_AT_ONCE, max_keepalive_connections=0),
                trust_env=not _is_loopback(self._url.host),
                verify=_certificates(),
            )
        return self._http


@cache
def _certificates() -> ssl.SSLContext:
    return ssl.create_default_context()


def _is_loopback(host: str) -> bool:
    """Whether an address is this machine's own: no proxy has a business there."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _read(answer: httpx.Response, kind: type[Answer]) -> Answer:
    try:
        return kind.model_validate_json(answer.content)
    except ValidationError as error:
        raise _unavailable("what answers in place of the inference service is another program") from error


def _unavailable(message: str) -> ServiceUnavailable:
    return ServiceUnavailable(message, hint="try again in a moment", code=CODE)

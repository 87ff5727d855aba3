"""What a server or the way to it said no with, as the same errors a command on this machine raises."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
from pydantic import ValidationError

from app.domain import errors
from app.domain.errors import PlatformError
from app.domain.wording import Said, say
from app.schemas.problem import Problem
from app.schemas.tasks import TaskError

DEFAULT_RETRY_AFTER_SECONDS = 5.0
MAX_SHOWN = 300
_BY_STATUS: dict[int, type[PlatformError]] = {
    400: errors.InvalidInput,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.TooLarge,
    422: errors.InvalidInput,
    429: errors.TooManyRequests,
    502: errors.ServiceUnavailable,
    503: errors.ServiceUnavailable,
    504: errors.ServiceUnavailable,
    507: errors.StorageError,
}


def _subclasses(of: type[PlatformError]) -> Iterator[type[PlatformError]]:
    for one in of.__subclasses__():
        yield one
        yield from _subclasses(one)


def _class_of(code: str, status: int) -> type[PlatformError]:
    """By the stable code where it is a class's own; else by what the status means."""
    known = {one.code: one for one in _subclasses(PlatformError) if "code" in vars(one)}
    if code in known:
        return known[code]
    by_status = _BY_STATUS.get(status)
    if by_status is not None:
        return by_status
    return errors.InvalidInput if 400 <= status < 500 else PlatformError


def error_of(response: httpx.Response) -> PlatformError:
    """The error an answer of 4xx or 5xx stands for; the body must have been read."""
    found = _problem(response)
    if found is None:
        return _without_problem(response)
    english = found.detail.removesuffix(f"; {found.hint}") if found.hint else found.detail
    message = Said.of(english, found.said.get("detail"))
    error = _make(_class_of(found.code, response.status_code), message, found, retry_after(response))
    error.code, error.request_id = found.code, found.request_id
    error.places = [(place.pointer, Said.of(place.detail, place.said.get("detail"))) for place in found.errors]
    return error


def error_of_task(failure: TaskError) -> PlatformError:
    """The error a task failed with."""
    kind = _class_of(failure.code, 500)
    special = (errors.TooManyRequests, errors.AmbiguousColumns, errors.Hidden)
    message = failure.detail or f"the work failed: {failure.code}"
    error = PlatformError(message) if issubclass(kind, special) else kind(message)
    error.code, error.retryable = failure.code, failure.retryable
    return error


def _make(kind: type[PlatformError], message: str, found: Problem, seconds: float | None) -> PlatformError:
    hint = Said.of(found.hint, found.said.get("hint"))
    if issubclass(kind, errors.TooManyRequests):
        wait = DEFAULT_RETRY_AFTER_SECONDS if seconds is None else seconds
        return kind(message, retry_after_seconds=wait, hint=hint)
    if issubclass(kind, errors.AmbiguousColumns):
        role = found.errors[0].pointer.removeprefix("/").removesuffix("_column") if found.errors else ""
        return errors.AmbiguousColumns(message, role=role, choices=found.choices, hint=hint)
    return kind(message, hint=hint)


def _problem(response: httpx.Response) -> Problem | None:
    if not response.headers.get("content-type", "").startswith("application/problem+json"):
        return None
    try:
        return Problem.model_validate(json.loads(response.content))
    except (ValueError, ValidationError):
        return None


def _without_problem(response: httpx.Response) -> PlatformError:
    """For what stands between us and the API: proxies and load balancers answer in their own words."""
    status, request = response.status_code, response.request
    message = f"{request.method} {place_of(request)}: {status} {response.reason_phrase}".strip()
    kind = _class_of("", status)
    if issubclass(kind, errors.TooManyRequests):
        return kind(message, retry_after_seconds=retry_after(response) or DEFAULT_RETRY_AFTER_SECONDS)
    return kind(message, hint="is this the address of the API? `finetune login --server URL` checks it")


def redirected(response: httpx.Response) -> PlatformError:
    """A redirect is not followed: what is sent was meant for this server and no other."""
    target = response.headers.get("location", "")[:MAX_SHOWN]
    return errors.InvalidInput(
        say(
            "{place_of} sends us on to {target}, and that is not followed",
            place_of=place_of(response.request),
            target=target or "another place",
        ),
        hint="give the final address with --server",
        code="server.redirects",
    )


def not_understood(response: httpx.Response, reason: str) -> PlatformError:
    """An answer that is none of this API."""
    error = PlatformError(
        say(
            "{method} {place_of} answered what is not expected: {reason}",
            method=response.request.method,
            place_of=place_of(response.request),
            reason=reason[:MAX_SHOWN],
        ),
        hint="is the server of the same version as this program?",
        code="server.not_understood",
    )
    error.request_id = response.headers.get("x-request-id", "")
    return error


def unreachable(server: str, fault: httpx.TransportError) -> errors.ServiceUnavailable:
    """No connection, or one that broke."""
    if isinstance(fault, httpx.ConnectTimeout | httpx.PoolTimeout):
        what = say("{server} does not answer in time", server=server)
    elif isinstance(fault, httpx.TimeoutException):
        what = say("{server} took the request and does not answer in time", server=server)
    elif isinstance(fault, httpx.ConnectError):
        what = say("{server} cannot be reached: {reason}", server=server, reason=_reason(fault))
    else:
        what = say("{server} broke the connection: {reason}", server=server, reason=_reason(fault))
    return errors.ServiceUnavailable(what, hint="is it running there (finetune start), and is the address right?")


def _reason(fault: BaseException) -> str:
    """The innermost cause that has words."""
    words, cause = str(fault), fault.__cause__ or fault.__context__
    while cause is not None:
        words, cause = str(cause) or words, cause.__cause__ or cause.__context__
    return (words or type(fault).__name__)[:MAX_SHOWN]


def place_of(request: httpx.Request) -> str:
    """Scheme, host and path of a request; never its query, which may hold what is private."""
    return f"{request.url.scheme}://{request.url.netloc.decode()}{request.url.path}"


def retry_after(response: httpx.Response) -> float | None:
    """Seconds of a Retry-After header; None where there is none that can be read."""
    text: Any = response.headers.get("retry-after", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        return None

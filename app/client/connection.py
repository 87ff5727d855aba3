"""One server, as one person speaks to it: headers, renewal of the sign-in, retries, limits of time, errors.

It knows no noun of the API; those stand in modules of their own.
"""

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from app.client import faults
from app.client.address import is_loopback, normalise
from app.client.credentials import Tokens
from app.client.forwarding import Forwarding
from app.client.retrying import IN_PROGRESS, Retrying
from app.client.sign_in import Nobody, Renew, SignIn, how_to_sign_in
from app.domain.errors import InvalidInput, PlatformError, Unauthenticated

Answer = TypeVar("Answer")
Params = Mapping[str, Any]

USER_AGENT = "finetune-client/1"
TIMEOUT = httpx.Timeout(connect=5.0, read=30.0, write=60.0, pool=10.0)
"""Seconds for each step; a read is the time between two pieces of an answer."""
MAX_REMEMBERED = 64
MAX_REMEMBERED_BYTES = 1_000_000
REPEATABLE_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})


@dataclass(frozen=True)
class Asked:
    """One request, as often as it is sent: `key` is its Idempotency-Key, `body` makes it anew each time.

    `harmless` says of a POST that it changes nothing, or sets what it would set again.
    """

    method: str
    path: str
    params: Params = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[], Mapping[str, Any]] = dict
    key: str | None = None
    authenticated: bool = True
    harmless: bool = False
    timeout: httpx.Timeout | None = None

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does what sending it once does."""
        return self.method in REPEATABLE_METHODS or self.key is not None or self.harmless


class Connection:
    """Sends requests to one server; safe to use from many threads.

    Certificates are always verified and redirects never followed. `renew` is how new tokens are asked for; the client
    that owns this connection sets it. `forwarding` says for whom a program between people and the server asks.
    """

    def __init__(
        self,
        server: str,
        sign_in: SignIn | None = None,
        *,
        insecure_http: bool = False,
        retrying: Retrying | None = None,
        forwarding: Forwarding | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server = normalise(server, insecure_http=insecure_http)
        self.sign_in: SignIn = sign_in or Nobody()
        self.renew: Renew = _cannot_renew
        self.retrying, self._sleep = retrying or Retrying(), sleep
        self._forwarding = forwarding
        host = _host_of(self.server)
        # A proxy of the environment has no business between two processes of one machine.
        self._http = httpx.Client(
            base_url=self.server + "/",
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=not is_loopback(host),
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        )
        self._remembered: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Give the sockets back."""
        self._http.close()

    def wait(self, seconds: float) -> None:
        """Let time pass before another attempt."""
        self._sleep(seconds)

    def forget(self) -> None:
        """Drop answers that were kept for somebody else."""
        with self._lock:
            self._remembered.clear()

    def call(self, asked: Asked, kind: type[Answer]) -> Answer:
        """Send a request and read the answer as `kind`; raises the error the server's problem stands for."""
        url = str(self._http.build_request(asked.method, asked.path.lstrip("/"), params=_given(asked.params)).url)
        etag, kept = self._remembered.get(url, ("", b"")) if asked.method == "GET" else ("", b"")
        response = self._send(asked, {"If-None-Match": etag} if etag else {})
        if response.status_code == 304:
            return read_as(response, kept, kind)
        self._remember(url, response)
        return read_as(response, response.content, kind)

    @contextmanager
    def stream(self, asked: Asked) -> Iterator[httpx.Response]:
        """Send a request and hand the answer out unread; a connection that breaks while it is read is the reader's."""
        response = self._send(asked, {}, stream=True)
        try:
            yield response
        finally:
            response.close()

    def _send(self, asked: Asked, headers: Mapping[str, str], *, stream: bool = False) -> httpx.Response:
        """Send a request, again where that is safe and helps; the good answer (2xx, 304), read unless `stream`."""
        attempt, may_renew = 1, asked.authenticated
        while True:
            token = self.sign_in.bearer(self._renewed) if asked.authenticated else None
            try:
                response = self._sent(self._request(asked, token, headers), stream=stream)
            except httpx.TransportError as error:
                pause = self.retrying.after_fault(attempt, repeatable=asked.repeatable)
                if pause is None:
                    raise faults.unreachable(self.server, error) from error
            else:
                if response.is_success or response.status_code == 304:
                    return response
                failure = self._failure(response)
                if response.status_code == 401 and token is not None and may_renew:
                    may_renew = False
                    if self.sign_in.renewed(token, self._renewed):
                        continue
                if isinstance(failure, Unauthenticated) and asked.authenticated:
                    raise self._signed_out(failure) from None
                pause = self._pause(response, failure, asked, attempt)
                if pause is None:
                    raise failure
            self.wait(pause)
            attempt += 1

    def _sent(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        try:
            return self._http.send(request, stream=stream)
        except RuntimeError as error:
            if not self._http.is_closed:
                raise
            raise Unauthenticated("this sign-in has ended", hint="sign in again") from error

    def _request(self, asked: Asked, token: str | None, headers: Mapping[str, str]) -> httpx.Request:
        sent = {**asked.headers, **headers, **(self._forwarding.headers() if self._forwarding else {})}
        if asked.key is not None:
            sent["Idempotency-Key"] = asked.key
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        return self._http.build_request(
            asked.method,
            asked.path.lstrip("/"),
            params=_given(asked.params),
            headers=sent,
            timeout=asked.timeout or TIMEOUT,
            **asked.body(),
        )

    def _failure(self, response: httpx.Response) -> PlatformError:
        """What a bad answer stands for; its body is read and its connection given back."""
        try:
            response.read()
        except httpx.TransportError as error:
            return faults.unreachable(self.server, error)
        finally:
            response.close()
        return faults.redirected(response) if response.is_redirect else faults.error_of(response)

    def _pause(self, response: httpx.Response, failure: PlatformError, asked: Asked, attempt: int) -> float | None:
        if failure.code == IN_PROGRESS and asked.key is not None:
            return self.retrying.while_in_progress(attempt)
        return self.retrying.after_answer(response, attempt, repeatable=asked.repeatable)

    def _renewed(self, refresh_token: str) -> Tokens:
        try:
            return self.renew(refresh_token)
        except Unauthenticated as failure:
            raise self._signed_out(failure) from None

    def _signed_out(self, failure: PlatformError) -> PlatformError:
        failure.hint = how_to_sign_in(self.server)
        return failure

    def _remember(self, url: str, response: httpx.Response) -> None:
        etag = response.headers.get("etag")
        if response.request.method != "GET" or not etag or len(response.content) > MAX_REMEMBERED_BYTES:
            return
        with self._lock:
            self._remembered[url] = (etag, response.content)
            self._remembered.move_to_end(url)
            while len(self._remembered) > MAX_REMEMBERED:
                self._remembered.popitem(last=False)


def _host_of(server: str) -> str:
    try:
        return httpx.URL(server).host
    except (httpx.InvalidURL, UnicodeError) as error:
        raise InvalidInput(f"{server!r} is no address of a server: {error}", hint="check its name") from error


def read_as(response: httpx.Response, content: bytes, kind: type[Answer]) -> Answer:
    """The body of a good answer as `kind`: a model, None, str, bytes or anything pydantic reads."""
    if kind in (bytes, str, type(None)):
        plain: Any = {bytes: content, str: content.decode("utf-8", "replace"), type(None): None}[kind]
        return cast("Answer", plain)
    try:
        return TypeAdapter(kind).validate_json(content)
    except ValidationError as error:
        fault = error.errors()[0]
        reason = f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
        raise faults.not_understood(response, reason) from error


def json_body(body: BaseModel | Mapping[str, Any] | None) -> Callable[[], Mapping[str, Any]]:
    """A body for `Asked`; of a model what was set, in the spelling of JSON."""
    if body is None:
        return dict
    plain = body.model_dump(mode="json", exclude_unset=True) if isinstance(body, BaseModel) else dict(body)
    return lambda: {"json": plain}


def new_key() -> str:
    """An Idempotency-Key for one wish, however often it is sent."""
    return str(uuid.uuid4())


def _given(params: Params) -> dict[str, Any]:
    """Query parameters without those that are None."""
    return {name: value for name, value in params.items() if value is not None}


def _cannot_renew(_refresh_token: str) -> Any:
    raise Unauthenticated("this sign-in cannot be renewed", hint="sign in again")

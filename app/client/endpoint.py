"""How a method of a noun becomes a request: its method and path are declared once, above it.

    @endpoint("GET", "/users/{username}")
    def get(self, at: Endpoint, username: str) -> User:
        return at(username=username).as_(User)

A test compares these declarations with the API's own OpenAPI document.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from app.client.connection import Answer, Asked, Connection, json_body, new_key
from app.domain.errors import InvalidInput
from app.domain.wording import say

P = ParamSpec("P")
Result = TypeVar("Result")
AnyNoun = TypeVar("AnyNoun", bound="Noun")
Other = TypeVar("Other")
Body = TypeVar("Body", bound=BaseModel)


class Noun:
    """The methods about one noun of the API; each is declared with `endpoint`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection


@dataclass(frozen=True)
class Call:
    """A request that is ready but for what is added here; `as_` sends it."""

    connection: Connection
    asked: Asked

    def query(self, **params: Any) -> "Call":
        """With query parameters; those that are None are left out."""
        return replace(self, asked=replace(self.asked, params={**self.asked.params, **params}))

    def json(self, body: BaseModel | Mapping[str, Any] | None) -> "Call":
        """With a JSON body."""
        return replace(self, asked=replace(self.asked, body=json_body(body)))

    def once(self, key: str | None = None) -> "Call":
        """With an Idempotency-Key, so that sending it again makes nothing twice."""
        return replace(self, asked=replace(self.asked, key=key or new_key()))

    def with_(self, **changes: Any) -> "Call":
        """With other parts of the request changed; see `Asked`."""
        return replace(self, asked=replace(self.asked, **changes))

    def as_(self, kind: type[Answer]) -> Answer:
        """Send it and read the answer."""
        return self.connection.call(self.asked, kind)

    def as_either(self, kind: type[Answer], other: type[Other]) -> Answer | Other:
        """Send it and read the answer as whichever of the two it is."""
        either: Any = kind | other
        answer: Answer | Other = self.connection.call(self.asked, either)
        return answer


@dataclass(frozen=True)
class Endpoint:
    """One operation of the API on one connection; called with the parameters of its path."""

    connection: Connection
    method: str
    template: str

    def __call__(self, **parts: str | int) -> Call:
        """The request, with `parts` in the path."""
        return Call(self.connection, Asked(self.method, fill(self.template, parts)))


def endpoint(
    method: str, template: str
) -> Callable[[Callable[Concatenate[AnyNoun, Endpoint, P], Result]], Callable[Concatenate[AnyNoun, P], Result]]:
    """Declare which operation a method is; the method gets it as its first argument."""

    def declare(
        function: Callable[Concatenate[AnyNoun, Endpoint, P], Result],
    ) -> Callable[Concatenate[AnyNoun, P], Result]:
        @wraps(function)
        def call(noun: AnyNoun, /, *arguments: P.args, **named: P.kwargs) -> Result:
            return function(noun, Endpoint(noun._connection, method, template), *arguments, **named)  # noqa: SLF001

        call.operation = (method, template)  # type: ignore[attr-defined]
        return call

    return declare


def body_of(kind: type[Body], **values: Any) -> Body:
    """A request's body; InvalidInput with every fault, as the server would say it, where the values make none."""
    try:
        return kind(**values)
    except ValidationError as error:
        places = [("/" + "/".join(map(str, fault["loc"])), str(fault["msg"])) for fault in error.errors()]
        refused = InvalidInput("; ".join(f"{pointer}: {what}" for pointer, what in places), code="request.invalid")
        refused.places = places
        raise refused from None


def fill(template: str, parts: Mapping[str, str | int]) -> str:
    """A path with its parameters; whatever they contain, they stay in their place of the path.

    A parameter whose name is `path` may have several segments.
    """

    def put(found: re.Match[str]) -> str:
        text = str(parts[found[1]])
        segments = text.split("/") if found[1] == "path" else [text]
        if any(segment in ("", ".", "..") for segment in segments):
            raise InvalidInput(say("{text!r} is no name", text=text), hint="names are not empty, '.' or '..'")
        return "/".join(quote(segment, safe="") for segment in segments)

    return re.sub(r"{(\w+)}", put, template)

"""What every answer of the API holds to, whoever asked for what: careful headers, an id, nothing of the inside."""

import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass

CAREFUL = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
INSIDE = re.compile(
    r"Traceback|File \"|\.py\b|site-packages|sqlalchemy|sqlite3?\.|psycopg|starlette|uvicorn|pydantic|/tmp/|/home/",
    re.IGNORECASE,
)
"""Words of a stack trace, of the libraries below, of the paths of this machine."""


def check_answer(status: int, headers: Mapping[str, str], body: str, sent: str = "") -> None:
    """Fail where an answer lacks a header it must have, or an error tells of the inside what was not `sent` to it."""
    found = {name.lower(): value for name, value in headers.items()}
    assert {name: found.get(name) for name in CAREFUL} == CAREFUL, (status, found)
    assert re.fullmatch(r"[0-9a-f]{32}", found.get("x-request-id", "")), (status, found)
    assert "content-security-policy" in found, (status, found)
    assert "cache-control" in found, (status, found)
    if status >= 400:
        assert found["content-type"] == "application/problem+json", (status, found, body[:300])
        assert f'"request_id":"{found["x-request-id"]}"' in body.replace('": "', '":"'), body[:500]
        told = [word for word in INSIDE.findall(body) if word.lower() not in sent.lower()]
        assert told == [], body[:500]


@dataclass(frozen=True)
class Answer:
    """What came back; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def check(self, sent: str = "") -> None:
        """As `check_answer`."""
        check_answer(self.status, self.headers, self.body.decode(errors="replace"), sent)


class Line:
    """A connection over which requests go exactly as they are written; opened again when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=240)

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        """Send a request; `_` in a header's name stands for `-`, and an empty Host for none at all."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        host = given.pop("Host", "localhost")
        connection = self._connection
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        lengths = {"Content-Length": str(len(body))} if body else {}
        for name, value in (({"Host": host} if host else {}) | given | lengths).items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        found = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        if answer.will_close:
            connection.close()
        return found

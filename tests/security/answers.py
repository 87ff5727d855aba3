"""What every answer of the API holds to, whoever asked for what: careful headers, an id, nothing of the inside."""

import re
from collections.abc import Mapping

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

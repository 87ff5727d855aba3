"""Follow a task by server-sent events, over as many connections as it takes."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
from pydantic import ValidationError

from app.client import faults
from app.client.endpoint import Call
from app.client.sse import ServerEvent, read_events
from app.domain.events import EVENT_ADAPTER, Event
from app.schemas.tasks import TaskView

TIMEOUT = httpx.Timeout(connect=5.0, read=45.0, write=10.0, pool=10.0)
"""The server shows every 15 seconds that it lives."""
MAX_FAILURES = 8
"""Connections in a row that brought nothing; pauses between them make about half a minute."""


def follow(call: Call) -> Iterator[TaskView | Event]:
    """What the events of a task say; ServiceUnavailable where the server stays away."""
    last_id: str | None = None
    failures = 0
    while True:
        try:
            for event in _one_connection(call, last_id):
                failures = 0
                last_id = event.id
                if event.name == "end":
                    return
                news = _read(event)
                if news is not None:
                    yield news
        except _Nothing:
            return
        except httpx.TransportError as error:
            failures += 1
            if failures >= MAX_FAILURES:
                raise faults.unreachable(call.connection.server, error) from error
        call.connection.wait(call.connection.retrying.pause(max(1, failures)))


class _Nothing(Exception):
    """The task has ended and everything was told."""


def _one_connection(call: Call, last_id: str | None) -> Iterator[ServerEvent]:
    headers = {"Accept": "text/event-stream"} | ({} if last_id is None else {"Last-Event-ID": last_id})
    asked = replace(call.asked, headers=headers, timeout=TIMEOUT)
    with call.connection.stream(asked) as response:
        if response.status_code == httpx.codes.NO_CONTENT:
            raise _Nothing
        yield from read_events(response.iter_bytes(), last_id)


def _read(event: ServerEvent) -> TaskView | Event | None:
    """What an event says; None for one that is younger than this program."""
    try:
        if event.name == "task":
            return TaskView.model_validate_json(event.data)
        return EVENT_ADAPTER.validate_json(event.data)
    except ValidationError:
        return None

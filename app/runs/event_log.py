"""events.jsonl: one writer appends whole lines, any number of readers follow."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from app.domain.events import EVENT_ADAPTER, CheckpointSaved, EvalLogged, Event, StepLogged
from app.runs.files import storage_errors

Stepped = TypeVar("Stepped", StepLogged, EvalLogged, CheckpointSaved)


def append_event(path: Path, event: Event) -> None:
    """Append one event as one line in a single write, after whatever a killed writer left unfinished."""
    line = event.model_dump_json().encode() + b"\n"
    with storage_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def read_from(path: Path, offset: int = 0, end: int | None = None) -> tuple[list[Event], int]:
    """Events in whole lines after byte `offset`, before byte `end` where given, and the offset to go on from.

    A line that a killed writer left unfinished, or of a kind this version does not know, is passed over.
    """
    if not path.is_file():
        return [], offset
    with path.open("rb") as file:
        file.seek(offset)
        chunk = file.read(-1 if end is None else end - offset)
    whole = chunk[: chunk.rfind(b"\n") + 1]
    events: list[Event] = []
    for line in whole.splitlines():
        try:
            events.append(EVENT_ADAPTER.validate_json(line))
        except ValidationError:
            continue
    return events, offset + len(whole)


def read_events(path: Path) -> list[Event]:
    """All events of a run so far."""
    return read_from(path)[0]


def latest_by_step(events: list[Stepped]) -> list[Stepped]:
    """Of events with a `step`, the one of the highest attempt for each step, in order of steps."""
    latest: dict[int, Stepped] = {}
    for event in events:
        if event.step not in latest or event.attempt >= latest[event.step].attempt:
            latest[event.step] = event
    return [latest[step] for step in sorted(latest)]


def iter_steps(events: list[Event]) -> Iterator[StepLogged]:
    """The StepLogged events that count, in order of steps."""
    yield from latest_by_step([event for event in events if isinstance(event, StepLogged)])

"""What a task writes while it lives, read piece by piece: its log, its points, its events."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.db.repositories import metrics, task_lists
from app.db.session import Session
from app.db.tables import MetricPointRow
from app.domain.task import TaskState
from app.runs.files import storage_errors
from app.schemas.tasks import LogChunk, MetricPoint, MetricSeries
from app.services.platform import Platform
from app.services.task_views import directory_of, get_record

POINT_KINDS = ("step", "eval", "system")
MAX_EVENT_BYTES = 2_000_000
_EVENT_PIECE_BYTES = 65_536
_EVENT_NAME = re.compile(r"[a-z_]{1,40}")


def read_log(platform: Platform, task_id: str, offset: int, limit: int) -> LogChunk:
    """At most `limit` bytes of a task's log from byte `offset` on; a negative one counts from the end.

    No character is cut in two: the text begins with the one the offset points into, and ends before one that is not
    whole yet. A log that does not exist yet is empty.
    """
    with platform.installation.database.read() as session:
        record = get_record(session, task_id)
        path, is_over = directory_of(platform, record).log, TaskState(record.task.state).is_final
    if not path.is_file():
        return LogChunk(text="", offset=max(0, offset), next_offset=max(0, offset), size_bytes=0)
    with storage_errors(path), path.open("rb") as file:
        size = file.seek(0, 2)
        start = max(0, size + offset) if offset < 0 else offset
        file.seek(max(0, start - 3))
        before = file.read(min(3, start))
        content = file.read(limit)
    if start <= size:
        start, content = _from_character(start, before, content)
    if not (is_over and start + len(content) == size):
        content = content[: _whole_characters(content)]
    return LogChunk(
        text=content.decode(errors="replace"), offset=start, next_offset=start + len(content), size_bytes=size
    )


def _from_character(start: int, before: bytes, content: bytes) -> tuple[int, bytes]:
    """Where the character begins that the first byte belongs to, at most three bytes earlier."""
    for back in range(1, len(before) + 1):
        if not content or content[0] & 0xC0 != 0x80:
            break
        lead = before[-back]
        if lead & 0xC0 != 0x80:
            length = 2 if lead & 0xE0 == 0xC0 else 3 if lead & 0xF0 == 0xE0 else 4 if lead & 0xF8 == 0xF0 else 1
            return (start - back, before[-back:] + content) if length > back else (start, content)
    return start, content


def _whole_characters(content: bytes) -> int:
    """The length without a last character of which bytes are missing."""
    for back in range(1, min(4, len(content)) + 1):
        byte = content[-back]
        if byte & 0xC0 != 0x80:
            length = 4 if byte & 0xF8 == 0xF0 else 3 if byte & 0xF0 == 0xE0 else 2 if byte & 0xE0 == 0xC0 else 1
            return len(content) - back if length > back else len(content)
    return len(content)


@dataclass(frozen=True)
class WantedPoints:
    """Which points of a training: no `kinds` means all; without `thin` the first `at_most` after `since`."""

    kinds: Sequence[str] = ()
    since: int = 0
    at_most: int = 1000
    thin: bool = True


def read_points(platform: Platform, task_id: str, wanted: WantedPoints) -> MetricSeries:
    """What a task reported; of work that is no training nothing."""
    with platform.installation.database.read() as session:
        experiment_id = get_record(session, task_id).task.experiment_id
        if experiment_id is None:
            return MetricSeries(points=[], last_id=wanted.since, matching=0, sampled=False)
        return series(session, experiment_id, wanted)


def series(session: Session, experiment_id: int, wanted: WantedPoints) -> MetricSeries:
    """What a training reported after the point `since`, thinned out evenly; the newest stays."""
    kinds = wanted.kinds or POINT_KINDS
    counts = {kind: metrics.count_points(session, experiment_id, kind, wanted.since) for kind in dict.fromkeys(kinds)}
    rows: list[MetricPointRow] = []
    for kind, share in _shares(counts, wanted.at_most).items() if wanted.thin else ():
        if share < counts[kind]:
            rows += metrics.thinned_points(session, experiment_id, kind, wanted.since, counts[kind], share)
        else:
            rows += metrics.first_points(session, experiment_id, kind, wanted.since, share)
    for kind in counts if not wanted.thin else ():
        rows += metrics.first_points(session, experiment_id, kind, wanted.since, wanted.at_most)
    rows.sort(key=lambda row: row.id)
    points = [
        MetricPoint(id=row.id, kind=row.kind, step=row.step, attempt=row.attempt, time=row.time, values=row.values)
        for row in rows[: wanted.at_most]
    ]
    matching = sum(counts.values())
    return MetricSeries(
        points=points,
        last_id=points[-1].id if points else wanted.since,
        matching=matching,
        sampled=wanted.thin and len(points) < matching,
    )


def _shares(counts: Mapping[str, int], at_most: int) -> dict[str, int]:
    """How many points of each kind are kept: kinds with few lose none, the others as many as they must."""
    shares: dict[str, int] = {}
    for number, (kind, count) in enumerate(sorted(counts.items(), key=lambda one: one[1])):
        shares[kind] = min(count, (at_most - sum(shares.values())) // (len(counts) - number))
    return shares


# --- events ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Position:
    """Where a task stands, as far as whoever follows it must know; `events_bytes` is the size of its event log."""

    state: TaskState
    stage: str
    attempt: int
    events_bytes: int


@dataclass(frozen=True)
class TaskEvent:
    """A line of an event log: `name` its type, `line` the JSON, `end` the byte after it."""

    name: str
    line: str
    end: int


def events_path(platform: Platform, task_id: str) -> Path:
    """Where a task's events are; the file need not exist yet."""
    with platform.installation.database.read() as session:
        return directory_of(platform, get_record(session, task_id)).events


def look(platform: Platform, watched: Mapping[str, Path]) -> dict[str, Position]:
    """Where tasks stand, all in one query; those that are gone are left out."""
    with platform.installation.database.read() as session:
        rows = task_lists.positions(session, list(watched))
    return {
        task_id: Position(TaskState(state), stage, attempt, _size(watched[task_id]))
        for task_id, (state, stage, attempt) in rows.items()
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def read_events(path: Path, offset: int) -> tuple[list[TaskEvent], int]:
    """Some whole lines after byte `offset`, and the offset to go on from; what is no event is passed over."""
    if not path.is_file():
        return [], offset
    with storage_errors(path), path.open("rb") as file:
        file.seek(offset)
        content = file.read(_EVENT_PIECE_BYTES)
        while b"\n" not in content and len(content) < MAX_EVENT_BYTES and (more := file.read(_EVENT_PIECE_BYTES)):
            content += more
    end = content.rfind(b"\n") + 1
    if not end and len(content) >= MAX_EVENT_BYTES:
        end = len(content)  # no line of ours is that long
    return list(_events(content[:end], offset)), offset + end


def _events(lines: bytes, offset: int) -> Iterator[TaskEvent]:
    for line in lines.splitlines(keepends=True):
        offset += len(line)
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        name = event.get("type") if isinstance(event, dict) else None
        if isinstance(name, str) and _EVENT_NAME.fullmatch(name):
            yield TaskEvent(name, line.decode().strip(), offset)

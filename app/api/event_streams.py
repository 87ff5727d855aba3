"""Server-sent events of tasks: one look for all who follow, no thread for anyone, bounded memory for each.

A stream begins after `Last-Event-ID`, a byte offset in the task's event log, so one that breaks goes on where it
broke. Whoever does not read is cut off; whoever is signed out is told no more.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.domain.errors import PlatformError, TooManyRequests
from app.domain.wording import say
from app.schemas.tasks import TaskView
from app.services import task_outputs
from app.services.task_outputs import Position

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0
CHECK_SECONDS = 10.0
"""How long after it may follow no more a client can be told something."""
SECONDS_TO_READ = 30.0
"""How long a client may leave what was sent to it."""
LONGEST_SECONDS = 3600.0
"""A stream ends after so long, and is taken up again by its client."""
RETRY_MILLISECONDS = 2000
MAX_STREAMS = 500
MAX_STREAMS_PER_USER = 20

Look = Callable[[Mapping[str, Path]], Mapping[str, Position]]


@dataclass(eq=False)
class Subscription:
    """One who follows a task: `position` is the newest, None when the task is gone; `news` is set when it changed."""

    task_id: str
    events: Path
    position: Position | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Follower:
    """Looks at all tasks that anybody follows, twice a second, and wakes those for whom there is news."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._subscriptions: set[Subscription] = set()
        self._looking: asyncio.Task[None] | None = None
        self._streams: Counter[str] = Counter()

    @property
    def num_streams(self) -> int:
        """How many streams are open."""
        return self._streams.total()

    @contextmanager
    def room(self, username: str) -> Iterator[None]:
        """Room for one more stream; TooManyRequests where an account, or all together, follow as much as they may."""
        if self._streams[username] >= MAX_STREAMS_PER_USER or self.num_streams >= MAX_STREAMS:
            raise TooManyRequests(
                say("{username} follows {streams} tasks at once", username=username, streams=self._streams[username]),
                retry_after_seconds=HEARTBEAT_SECONDS,
                hint=say(
                    "close some of the streams: {max_streams_per_user} may be open",
                    max_streams_per_user=MAX_STREAMS_PER_USER,
                ),
                code="limit.streams",
            )
        self._streams[username] += 1
        try:
            yield
        finally:
            self._streams[username] -= 1
            if not self._streams[username]:
                del self._streams[username]

    @asynccontextmanager
    async def following(self, task_id: str, events: Path) -> AsyncIterator[Subscription]:
        """A subscription to a task; its first position is known."""
        subscription = Subscription(task_id, events)
        self._subscriptions.add(subscription)
        try:
            subscription.position = (await run_in_threadpool(self._look, {task_id: events})).get(task_id)
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look_on())
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    async def _look_on(self) -> None:
        while self._subscriptions:
            await asyncio.sleep(LOOK_SECONDS)
            watched = {one.task_id: one.events for one in self._subscriptions}
            try:
                found = await run_in_threadpool(self._look, watched) if watched else {}
            except PlatformError as error:
                logger.warning("those who follow tasks hear nothing new: %s", error.message)
                continue
            for one in self._subscriptions:
                position = found.get(one.task_id, one.position if one.task_id not in watched else None)
                if position != one.position:
                    one.position = position
                    one.news.set()


@dataclass(frozen=True)
class Followed:
    """What a stream needs of the outside: `view` reads where the task stands, `check` raises when it may no more."""

    username: str
    task_id: str
    events: Path
    offset: int
    view: Callable[[], TaskView]
    check: Callable[[], object]


class EventStream(Response):
    """Answers with the events of a task until it has ended, the client goes away, or it may follow no longer."""

    media_type = "text/event-stream"

    def __init__(self, follower: Follower, followed: Followed) -> None:
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._follower, self._followed = follower, followed
        self._checked_at = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events; whichever ends first, the stream or the client, ends the other.

        TooManyRequests where there is no room, before anything is sent.
        """
        with self._follower.room(self._followed.username):
            await self._stream(receive, send)

    async def _stream(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send_all(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED, timeout=LONGEST_SECONDS)
        finally:
            for task in (sending, leaving):
                task.cancel()
                with suppress(asyncio.CancelledError, TimeoutError, OSError, PlatformError):
                    await task
        with suppress(TimeoutError, OSError):
            await _within_time(send, b"", more=False)

    async def _send_all(self, send: Send) -> None:
        followed = self._followed
        await self._tell(send, b"retry: %d\n\n" % RETRY_MILLISECONDS)
        async with self._follower.following(followed.task_id, followed.events) as subscription:
            offset, told = followed.offset, None
            while (position := subscription.position) is not None:
                subscription.news.clear()
                standing = (position.state, position.stage, position.attempt)
                if standing != told:
                    view = await run_in_threadpool(followed.view)
                    await self._tell(send, _event("task", view.model_dump_json()))
                    told = standing
                offset = await self._send_new(send, offset)
                if position.state.is_final and subscription.position == position:
                    await self._tell(send, _event("end", f'{{"status":"{position.state}"}}'))
                    return
                await self._wait_for_news(send, subscription)

    async def _send_new(self, send: Send, offset: int) -> int:
        """Send what the log has after `offset`, a piece at a time; where to go on."""
        while True:
            events, end = await run_in_threadpool(task_outputs.read_events, self._followed.events, offset)
            if events:
                await self._tell(send, b"".join(_event(one.name, one.line, one.end) for one in events))
            if end == offset:
                return offset
            offset = end

    async def _wait_for_news(self, send: Send, subscription: Subscription) -> None:
        """Return when there is news; until then show now and then that the stream is alive."""
        while not subscription.news.is_set():
            try:
                await asyncio.wait_for(subscription.news.wait(), HEARTBEAT_SECONDS)
            except TimeoutError:
                await self._tell(send, b": alive\n\n")

    async def _tell(self, send: Send, content: bytes) -> None:
        """Send, once it is certain again that the client may still follow."""
        if time.monotonic() - self._checked_at >= CHECK_SECONDS:
            await run_in_threadpool(self._followed.check)
            self._checked_at = time.monotonic()
        await _within_time(send, content)


async def _left(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _within_time(send: Send, content: bytes, *, more: bool = True) -> None:
    """Send, or TimeoutError for a client that does not read."""
    message = {"type": "http.response.body", "body": content, "more_body": more}
    await asyncio.wait_for(send(message), SECONDS_TO_READ)


def _event(name: str, data: str, identifier: int | None = None) -> bytes:
    """One event on the wire; `data` is JSON on one line."""
    last_id = f"id: {identifier}\n" if identifier is not None else ""
    return f"{last_id}event: {name}\ndata: {data}\n\n".encode()

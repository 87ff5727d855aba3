"""Requests that need a child process wait for one of a few slots, and give up when their client does.

Ten uploads at once do not start ten children: the others wait, so many at most, and of one account fewer.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fastapi import Request

from app.domain.errors import ServiceUnavailable, TooManyRequests
from app.domain.wording import say
from app.services.data_work import Stopped

RETRY_AFTER_SECONDS = 10.0
Answer = TypeVar("Answer")


class ChildSlots:
    """`at_once` pieces of work go on side by side; `waiting` wait at most, `of_one` of one account's in all."""

    def __init__(self, name: str, at_once: int, waiting: int, of_one: int) -> None:
        # Threads of their own: those that answer other requests must never all wait for children.
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix=name)
        self._most, self._most_of_one = at_once + waiting, of_one
        self._lock, self._taken = threading.Lock(), Counter[str]()

    async def run(self, request: Request, username: str, work: Callable[[Stopped], Answer]) -> Answer:
        """What `work` gives, from a thread, once there is a slot; it is told to stop when the client is gone.

        ServiceUnavailable where too many wait already, TooManyRequests where too many of that account do.
        """
        self._take(username)
        stop = threading.Event()
        watcher = asyncio.create_task(_watch(request, stop))
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, stop.is_set)
        finally:
            stop.set()
            watcher.cancel()
            self._give_back(username)

    def _take(self, username: str) -> None:
        with self._lock:
            if self._taken[username] >= self._most_of_one:
                raise TooManyRequests(
                    say(
                        "{most_of_one} requests of {username} are being worked on",
                        most_of_one=self._most_of_one,
                        username=username,
                    ),
                    retry_after_seconds=RETRY_AFTER_SECONDS,
                    hint="wait for their answers",
                )
            if self._taken.total() >= self._most:
                raise ServiceUnavailable("the server is busy with other files", hint="try again in a moment")
            self._taken[username] += 1

    def _give_back(self, username: str) -> None:
        with self._lock:
            self._taken[username] -= 1
            if not self._taken[username]:
                del self._taken[username]


async def _watch(request: Request, stop: threading.Event) -> None:
    """Notice when the client goes away; its body has been read, or is not wanted."""
    while (await request.receive())["type"] != "http.disconnect":
        continue
    stop.set()


CHECKS = ChildSlots("checks", at_once=2, waiting=16, of_one=6)
"""For files that were sent: seconds to minutes each."""
READS = ChildSlots("reads", at_once=2, waiting=32, of_one=10)
"""For rows of stored versions: a second each."""
COPIES = ChildSlots("copies", at_once=1, waiting=8, of_one=2)
"""For whole versions, which may be long in coming and shall keep no reader waiting."""

"""Models of finished runs in memory: loaded when they are asked for, the longest unused let go beyond a limit.

What a model is and how it is loaded is not known here.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from app.domain.errors import StorageError
from app.runs.directory import RunDirectory

Model = TypeVar("Model")
Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class _Place(Generic[Model]):
    """A model on the shelf, or on its way there; `stamp` is that of the receipt it was loaded by."""

    stamp: Stamp
    model: Future[Model] = field(default_factory=Future)


class Shelf(Generic[Model]):
    """At most `most` models, one of them being loaded at a time; safe to use from many threads.

    A model that was let go stays in memory as long as somebody is still being answered by it.
    """

    def __init__(self, load: Callable[[RunDirectory], Model], most: int) -> None:
        self._load, self._most = load, most
        self._places: OrderedDict[Path, _Place[Model]] = OrderedDict()
        self._lock = threading.Lock()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load-model")

    def take(self, run: RunDirectory) -> Future[Model]:
        """The model of a complete run, now or soon; who asks meanwhile waits for the same. It is not to be cancelled.

        A run that was replaced by another of its name is loaded anew. The future raises what loading raised, and the
        next who asks has it tried again. StorageError where there is no receipt.
        """
        stamp = _stamp(run)
        with self._lock:
            place = self._places.get(run.path)
            if place is not None and place.stamp == stamp:
                self._places.move_to_end(run.path)
                return place.model
            place = self._places[run.path] = _Place(stamp)
            self._places.move_to_end(run.path)
            while len(self._places) > self._most:
                self._places.popitem(last=False)
        self._loader.submit(self._fill, run, place)
        return place.model

    @property
    def num_loaded(self) -> int:
        """How many models are there, ready to answer."""
        with self._lock:
            return sum(place.model.done() for place in self._places.values())

    def close(self) -> None:
        """Load no more."""
        self._loader.shutdown(wait=False, cancel_futures=True)

    def _fill(self, run: RunDirectory, place: _Place[Model]) -> None:
        try:
            model = self._load(run)
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            with self._lock, suppress(KeyError):
                if self._places[run.path] is place:
                    del self._places[run.path]
            place.model.set_exception(error)
        else:
            place.model.set_result(model)


def _stamp(run: RunDirectory) -> Stamp:
    try:
        found = run.receipt.stat()
    except OSError as error:
        raise StorageError(f"run {run.name!r} has no receipt: it did not finish", code="run.incomplete") from error
    return found.st_ino, found.st_mtime_ns, found.st_size

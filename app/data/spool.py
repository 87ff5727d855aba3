"""A long list of texts that does not have to fit into memory: beyond a bound they lie in a temporary file."""

import os
import tempfile
import weakref
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from app.domain.errors import StorageError
from app.domain.wording import say

MEMORY_CHARS = 256 * 2**20
"""Texts together longer than this go to the file; below it they are an ordinary list."""

_BLOCK_BYTES = 1 << 20


class Spool:
    """Takes texts one by one; `finish` gives them back as a sequence."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._num_chars = 0
        self._spooled: SpooledTexts | None = None

    def append(self, text: str) -> None:
        """Add one text at the end."""
        if self._spooled is not None:
            self._spooled.append(text)
            return
        self._texts.append(text)
        self._num_chars += len(text)
        if self._num_chars > MEMORY_CHARS:
            self._spooled = SpooledTexts()
            for one in self._texts:
                self._spooled.append(one)
            self._texts = []

    def finish(self) -> Sequence[str]:
        """All texts in order; nothing is appended afterwards."""
        if self._spooled is None:
            return self._texts
        self._spooled.flush()
        return self._spooled


class SpooledTexts(Sequence[str]):
    """Texts in an unnamed temporary file, eight bytes each in memory; the file goes with the last reference to it."""

    def __init__(self) -> None:
        self._descriptor, path = tempfile.mkstemp(prefix="finetune-")
        Path(path).unlink()
        weakref.finalize(self, os.close, self._descriptor)
        self._ends = array("q", [0])
        self._waiting = bytearray()

    def append(self, text: str) -> None:
        """Add one text; it can be read after `flush`. StorageError where there is no room for it."""
        content = text.encode("utf-8", "surrogatepass")
        self._waiting += content
        self._ends.append(self._ends[-1] + len(content))
        if len(self._waiting) >= _BLOCK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Make what was appended readable."""
        waiting = memoryview(bytes(self._waiting))
        try:
            while waiting:
                waiting = waiting[os.write(self._descriptor, waiting) :]
        except OSError as error:
            raise StorageError(
                say("cannot keep the texts in a temporary file: {strerror}", strerror=error.strerror or error),
                hint="free space where temporary files go, or set TMPDIR to a larger place",
            ) from error
        self._waiting.clear()

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        start, end = self._ends[place], self._ends[place + 1]
        return os.pread(self._descriptor, end - start, start).decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        """In order, read in large pieces."""
        first, size = 0, len(self)
        while first < size:
            start, last = self._ends[first], first + 1
            while last < size and self._ends[last + 1] - start <= _BLOCK_BYTES:
                last += 1
            block = os.pread(self._descriptor, self._ends[last] - start, start)
            for place in range(first, last):
                yield block[self._ends[place] - start : self._ends[place + 1] - start].decode("utf-8", "surrogatepass")
            first = last


class Selected(Sequence[str]):
    """The items of a sequence at some places, without a copy of them."""

    def __init__(self, items: Sequence[str], places: Sequence[int]) -> None:
        self._items = items
        self._places = array("q", places)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self._items[place] for place in self._places[index]]
        return self._items[self._places[index]]

    def __iter__(self) -> Iterator[str]:
        if len(self._places) == len(self._items):
            return iter(self._items)  # nothing was left out, and reading in order is quicker
        return (self._items[place] for place in self._places)


class Joined(Sequence[str]):
    """Two sequences as one, without a copy."""

    def __init__(self, first: Sequence[str], second: Sequence[str]) -> None:
        self._first, self._second = first, second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        known = len(self._first)
        return self._first[place] if place < known else self._second[place - known]


def select(items: Sequence[str], places: Sequence[int]) -> Sequence[str]:
    """The items at some places, ascending and each once: a list of a list, else a view."""
    return [items[place] for place in places] if isinstance(items, list) else Selected(items, places)

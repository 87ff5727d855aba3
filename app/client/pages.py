"""Lists of any length, page by page, as one iterator."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from app.domain.errors import ServiceUnavailable
from app.schemas.paging import MAX_LIMIT, Page

Item = TypeVar("Item")

PAGE_SIZE = MAX_LIMIT


def all_items(page: Callable[[str | None, int], Page[Item]], at_most: int | None = None) -> Iterator[Item]:
    """Every item, fetched as it is needed; `page` gets a cursor (None for the first page) and how many to ask for."""
    cursor, left = None, at_most
    while left is None or left > 0:
        found = page(cursor, PAGE_SIZE if left is None else min(PAGE_SIZE, left))
        yield from found.items
        if found.next is None:
            return
        if found.next == cursor or not found.items:
            raise ServiceUnavailable("the list goes in a circle", code="server.not_understood")
        cursor = found.next
        left = None if left is None else left - len(found.items)

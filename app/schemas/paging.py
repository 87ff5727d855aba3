"""Pages of lists: the one shape every list of the API has."""

from typing import Generic, TypeVar

from pydantic import BaseModel, Field

Item = TypeVar("Item")

MAX_COUNTED = 10_000
"""Matches beyond so many are not counted: a list must not get slower as an installation grows."""
MAX_LIMIT = 500
DEFAULT_LIMIT = 50


class Page(BaseModel, Generic[Item]):
    """Some items of a list and the way to the following ones."""

    items: list[Item]
    total: int | None = Field(description=f"how many match in all; null where that is more than {MAX_COUNTED}")
    next: str | None = Field(description="the `cursor` of the following page; null on the last one")

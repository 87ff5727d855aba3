"""Which points of a training a request asks for."""

from typing import Annotated, Literal

from fastapi import Depends, Query

from app.services.task_outputs import WantedPoints

Kind = Literal["step", "eval", "system"]


async def wanted_points(
    kinds: Annotated[list[Kind], Query(description="only these; without, all")] = [],  # noqa: B006 - never changed
    since: Annotated[int, Query(ge=0, le=2**53, description="only points after this `last_id`")] = 0,
    max_points: Annotated[int, Query(ge=1, le=5000, description="more are thinned out evenly")] = 1000,
    thin: Annotated[bool, Query(description="false: the first `max_points` instead, and ask on from `last_id`")] = True,
) -> WantedPoints:
    """What stands in the address."""
    return WantedPoints(kinds, since, max_points, thin)


WantedPointsDep = Annotated[WantedPoints, Depends(wanted_points)]

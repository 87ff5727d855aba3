"""Threads for what every request waits for: few, since those that wait for their turn in Python only cost time.

Forty threads that each need the interpreter for a moment take about twice the processor time of four.
"""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

import anyio.to_thread
from fastapi import Request

AT_ONCE = 4

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def quickly(request: Request, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """The result of a call that is over in a moment, such as a look into the database, made in another thread."""
    limiter = request.app.state.quick_threads
    return await anyio.to_thread.run_sync(partial(call, *args, **kwargs), limiter=limiter)

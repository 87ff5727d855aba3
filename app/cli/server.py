"""Which installation a command works on: this machine's, or the one `--server` or FINETUNE_SERVER names."""

from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")

_given: ContextVar[str | None] = ContextVar("server", default=None)
_open = ExitStack()


def choose(server: str | None) -> None:
    """What `finetune --server` said; an empty word means this machine, None leaves it to the settings."""
    _given.set(server)


def close_at_end(close: Callable[[], None]) -> None:
    """Give a connection back when the command has ended."""
    _open.callback(close)


def finish() -> None:
    """The command has ended; the next one in this process chooses anew."""
    _given.set(None)
    _open.close()


def chosen() -> str | None:
    """The address of the server, as it was given; None is this machine."""
    given = _given.get()
    if given is not None:
        return given or None
    from app.settings import get_settings

    return get_settings().finetune_server or None


def refuse(name: str, *, heed_settings: bool = True) -> None:
    """InvalidInput where a server was named for what works on this machine alone.

    Without `heed_settings` only --server counts: where a server runs, its own programs are meant.
    """
    address = chosen() if heed_settings else _given.get()
    if not address:
        return
    from app.domain.errors import InvalidInput

    how = "leave --server out" if _given.get() else "give --server '', which goes before FINETUNE_SERVER"
    raise InvalidInput(
        f"finetune {name} works on this machine alone, not on {address}",
        hint=f"{how}, or type it on the server itself",
        code="command.local",
    )


def local_only(name: str, *, heed_settings: bool = True) -> Callable[[Callable[P, Result]], Callable[P, Result]]:
    """Declares that a command works on this machine alone; InvalidInput where a server was named for it."""

    def declare(command: Callable[P, Result]) -> Callable[P, Result]:
        @wraps(command)
        def run(*arguments: P.args, **options: P.kwargs) -> Result:
            refuse(name, heed_settings=heed_settings)
            return command(*arguments, **options)

        run.local_only = name  # type: ignore[attr-defined]
        return run

    return declare

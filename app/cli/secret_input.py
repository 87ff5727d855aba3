"""Passwords and keys as a person gives them: typed unseen, or piped in; never an argument, which others can see."""

import getpass
import sys

from app.domain.errors import InvalidInput

MAX_BYTES = 8192


def from_stdin(what: str, option: str) -> str:
    """The first line of stdin; InvalidInput where there is none."""
    line = sys.stdin.buffer.readline(MAX_BYTES)
    try:
        secret = line.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the {what} on stdin is no UTF-8 text", hint="check what is piped in") from error
    if not secret:
        raise InvalidInput(f"there is no {what} on stdin", hint=f"pipe it in: `... {option} < FILE`")
    return secret


def typed(what: str, option: str, *, twice: bool = False) -> str:
    """What a person types at the terminal, twice for something new; InvalidInput where nobody is there."""
    if not sys.stdin.isatty():
        raise InvalidInput(f"nobody is there to type a {what}", hint=f"give {option} and pipe it in")
    secret = getpass.getpass(f"{what}: ")
    if twice and getpass.getpass("once more: ") != secret:
        raise InvalidInput(f"these are two different {what}s", hint="run the same command again")
    return secret

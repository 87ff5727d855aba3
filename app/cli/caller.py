"""Who types: there is no account on the command line, so the audit log names the operating system's user."""

import getpass
import os

from app.domain.principal import Caller


def local_caller() -> Caller:
    """The person at this terminal."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid-{os.getuid()}"
    return Caller(local_user=name)

"""What a person changes at a terminal of this machine: who it was, and that it is in the audit log.

There is no account on the command line, so the log names the operating system's user.
"""

import getpass
import os
from contextlib import AbstractContextManager
from typing import Any

from app.db.session import Database
from app.domain.principal import Caller
from app.services.auditing import AuditLog
from app.services.secrets import load_audit_key
from app.settings import Settings


def local_caller() -> Caller:
    """The person at this terminal."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid-{os.getuid()}"
    return Caller(local_user=name)


def audit_log_of(database: Database, settings: Settings) -> AuditLog:
    """The log of an installation; it needs neither the queue nor the secrets of sign-ins."""
    return AuditLog(database, load_audit_key(settings), settings.results_dir)


def recorded(log: AuditLog, action: str, resource: str, **details: Any) -> AbstractContextManager[None]:
    """A block that changes something, recorded before it begins and as it ended; not entered where that fails."""
    return log.recorded(local_caller(), action, resource, details)

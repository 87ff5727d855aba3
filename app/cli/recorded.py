"""What a person changes at this terminal is in the audit log: before it begins, and how it ended."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.services.auditing import AuditLog


def audit_log() -> "AuditLog":
    """The log of this machine's installation; it needs neither the queue nor the secrets of sign-ins."""
    from app.services.auditing import AuditLog
    from app.services.installation import open_installation
    from app.services.secrets import load_audit_key
    from app.settings import get_settings

    settings = get_settings()
    return AuditLog(open_installation(settings).database, load_audit_key(settings), settings.results_dir)


def recorded(action: str, resource: str, **details: Any) -> AbstractContextManager[None]:
    """A block that changes something; where it cannot be recorded, it is not entered."""
    from app.cli.caller import local_caller

    return audit_log().recorded(local_caller(), action, resource, details)

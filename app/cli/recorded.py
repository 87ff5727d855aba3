"""What a person changes at this terminal is in the audit log of this machine's installation."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.services.auditing import AuditLog


def audit_log() -> "AuditLog":
    """The log of this machine's installation."""
    from app.services.installation import open_installation
    from app.services.terminal import audit_log_of
    from app.settings import get_settings

    settings = get_settings()
    return audit_log_of(open_installation(settings).database, settings)


def recorded(action: str, resource: str, **details: Any) -> AbstractContextManager[None]:
    """A block that changes something; where it cannot be recorded, it is not entered."""
    from app.services import terminal

    return terminal.recorded(audit_log(), action, resource, **details)
